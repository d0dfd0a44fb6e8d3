package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * CPO: {@link SigmoidLoss} without a reference, with z = beta (log pi(y_w) - log pi(y_l)), plus
 * alpha times the mean of -log p(token) over all chosen tokens of the micro-batch. Xu et al. 2024,
 * arXiv 2401.08417, Eq. 3 for the first part; means as in TRL's experimental CPO trainer.
 *
 * @param beta scale of log-probabilities in the logistic, positive
 * @param alpha weight of the second part, from 0
 * @param labelSmoothing epsilon, share of pairs assumed to be labelled the wrong way, in [0, 0.5]
 */
public record CpoLoss(double beta, double alpha, double labelSmoothing) implements PreferenceLoss {

  public CpoLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requireSmoothing(labelSmoothing);
    PreferenceLoss.requireNotNegative("cpo_alpha", alpha);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor z = pairs.policyMargin().mul(Tensors.scalar(beta));
    Tensor loss = PreferenceLoss.smoothedLogistic(z, labelSmoothing);
    return loss.add(pairs.chosenTokenLoss().mul(Tensors.scalar(alpha)));
  }

  @Override
  public String name() {
    return "cpo";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.empty();
  }

  /** The mean of the chosen part is over the tokens of all pairs. */
  @Override
  public boolean separable() {
    return alpha == 0;
  }

  @Override
  public ReferenceUse reference() {
    return ReferenceUse.NONE;
  }
}
