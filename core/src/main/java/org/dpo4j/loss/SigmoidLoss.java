package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * DPO: -(1 - epsilon) log sigmoid(z) - epsilon log sigmoid(-z), z = beta (s_w - s_l). Rafailov et
 * al. 2023, arXiv 2305.18290, Eq. 7; epsilon > 0 is conservative DPO (Mitchell 2023, "A note on DPO
 * with noisy preferences and relationship to IPO"), which TRL 1.16 no longer applies to this loss.
 * For epsilon = 0 the derivative with respect to log pi(y_w) is -beta (1 - sigmoid(z)), and with
 * respect to log pi(y_l) its negative.
 *
 * @param beta strength of the tie to the reference, positive
 * @param labelSmoothing epsilon, share of pairs assumed to be labelled the wrong way, in [0, 0.5]
 */
public record SigmoidLoss(double beta, double labelSmoothing) implements PreferenceLoss {

  public SigmoidLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requireSmoothing(labelSmoothing);
  }

  public SigmoidLoss(double beta) {
    this(beta, 0);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor z = pairs.margin().mul(Tensors.scalar(beta));
    return PreferenceLoss.smoothedLogistic(z, labelSmoothing);
  }

  @Override
  public String name() {
    return "sigmoid";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of(Math.log(2));
  }

  @Override
  public boolean usesScores() {
    return true;
  }
}
