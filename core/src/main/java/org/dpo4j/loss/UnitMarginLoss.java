package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * The squared loss of the textbook exercise: (z - 1)^2, z = beta h. With tau = beta / 2 it is
 * beta^2 times {@link IpoSumLoss}: beta^2 (h - 1/beta)^2 = beta^2 (h - 1/(2 tau))^2.
 *
 * @param beta strength of the tie to the reference, positive
 */
public record UnitMarginLoss(double beta) implements PreferenceLoss {

  public UnitMarginLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    return pairs.margin().mul(Tensors.scalar(beta)).sub(Tensors.scalar(1)).square();
  }

  @Override
  public String name() {
    return "unit_margin";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of(1);
  }

  @Override
  public boolean usesScores() {
    return true;
  }
}
