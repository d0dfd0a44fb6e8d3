package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/**
 * APO-zero: (1 - sigmoid(r_w)) + sigmoid(r_l), r = beta Delta: chosen up, rejected down.
 * D'Oosterlinck et al. 2024, arXiv 2408.06266, Eq. 7.
 *
 * @param beta strength of the tie to the reference, positive
 */
public record ApoZeroLoss(double beta) implements PreferenceLoss {

  public ApoZeroLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor chosen = pairs.chosenRatio().mul(Tensors.scalar(beta));
    Tensor rejected = pairs.rejectedRatio().mul(Tensors.scalar(beta));
    return torch.sigmoid(chosen.neg()).add(torch.sigmoid(rejected)); // 1 - sigmoid(x) = sigmoid(-x)
  }

  @Override
  public String name() {
    return "apo_zero";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of(1);
  }
}
