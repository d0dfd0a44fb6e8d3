package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * SPPO with hard labels: (Delta_w - 1/(2 beta))^2 + (Delta_l + 1/(2 beta))^2. Wu et al. 2024, arXiv
 * 2405.00675, Eq. 4.7 with P = 1 for the chosen and 0 for the rejected.
 *
 * @param beta 1 over the paper's eta, positive
 */
public record SppoHardLoss(double beta) implements PreferenceLoss {

  public SppoHardLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor half = pairs.chosenRatio().sub(Tensors.scalar(0.5 / beta)).square();
    return half.add(pairs.rejectedRatio().add(Tensors.scalar(0.5 / beta)).square());
  }

  @Override
  public String name() {
    return "sppo_hard";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of(1 / (2 * beta * beta));
  }
}
