package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/**
 * SLiC: max(0, 1 - z), z = beta (s_w - s_l). Zhao et al. 2023, arXiv 2305.10425, as normalized in
 * Liu et al. 2023 (RSO), arXiv 2309.06657; 1/beta is the margin in log-ratios.
 *
 * @param beta strength of the tie to the reference, positive
 */
public record HingeLoss(double beta) implements PreferenceLoss {

  public HingeLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    return torch.relu(pairs.margin().mul(Tensors.scalar(-beta)).add(Tensors.scalar(1)));
  }

  @Override
  public String name() {
    return "hinge";
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
