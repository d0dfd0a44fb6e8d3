package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/**
 * APO-down: sigmoid(r_w) + (1 - sigmoid(r_w - r_l)), r = beta Delta: both down, rejected more.
 * D'Oosterlinck et al. 2024, arXiv 2408.06266, Eq. 8.
 *
 * @param beta strength of the tie to the reference, positive
 */
public record ApoDownLoss(double beta) implements PreferenceLoss {

  public ApoDownLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor chosen = pairs.chosenRatio().mul(Tensors.scalar(beta));
    Tensor rejected = pairs.rejectedRatio().mul(Tensors.scalar(beta));
    return torch.sigmoid(chosen).add(torch.sigmoid(rejected.sub(chosen)));
  }

  @Override
  public String name() {
    return "apo_down";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of(1);
  }
}
