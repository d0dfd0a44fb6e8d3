package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * DPO with an offset: -log sigmoid(z - alpha m), z = beta (Delta_w - Delta_l), with the margin m of
 * the pair: the logarithm of the difference of two scores, or any number. Amini, Vieira and
 * Cotterell 2024, arXiv 2402.10571. The derivative with respect to log pi(y_w) is -beta (1 -
 * sigmoid(z - alpha m)), and with respect to log pi(y_l) its negative.
 *
 * @param beta strength of the tie to the reference, positive
 * @param alpha factor of the margins, not negative; 0 makes it {@link SigmoidLoss}
 */
public record OdpoLoss(double beta, double alpha) implements PreferenceLoss {

  public OdpoLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requireNotNegative("odpo_alpha", alpha);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor z = pairs.chosenRatio().sub(pairs.rejectedRatio()).mul(Tensors.scalar(beta));
    return PreferenceLoss.logistic(z.sub(pairs.requiredMargins().mul(Tensors.scalar(alpha))));
  }

  @Override
  public String name() {
    return "odpo";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.empty();
  }

  @Override
  public boolean usesMargins() {
    return true;
  }
}
