package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.UsageException;
import org.dpo4j.torch.Tensors;

/**
 * SimPO: {@link SigmoidLoss} without a reference, with z = beta (log pi(y_w) / |y_w| - log pi(y_l)
 * / |y_l|) - gamma. Meng et al. 2024, arXiv 2405.14734, Eq. 6; as TRL's experimental CPO trainer
 * with {@code loss_type simpo} and {@code cpo_alpha 0}.
 *
 * @param beta scale of log-probabilities in the logistic, positive; the paper takes 2 to 2.5
 * @param gamma target reward margin, finite
 * @param labelSmoothing epsilon, share of pairs assumed to be labelled the wrong way, in [0, 0.5]
 */
public record SimpoLoss(double beta, double gamma, double labelSmoothing)
    implements PreferenceLoss {

  public SimpoLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requireSmoothing(labelSmoothing);
    if (!Double.isFinite(gamma)) {
      throw new UsageException("simpo_gamma", "must be finite", "was " + gamma, "");
    }
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor margin = pairs.chosenAverage().sub(pairs.rejectedAverage());
    Tensor z = margin.mul(Tensors.scalar(beta)).sub(Tensors.scalar(gamma));
    return PreferenceLoss.smoothedLogistic(z, labelSmoothing);
  }

  @Override
  public String name() {
    return "simpo";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.empty();
  }

  @Override
  public ReferenceUse reference() {
    return ReferenceUse.NONE;
  }

  @Override
  public boolean averagesRewards() {
    return true;
  }
}
