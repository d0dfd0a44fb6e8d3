package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * IPO on summed log-ratios, as printed: (s_w - s_l - 1/(2 beta))^2. Azar et al. 2023, arXiv
 * 2310.12036, Eq. 17.
 *
 * @param beta the paper's tau, positive
 */
public record IpoSumLoss(double beta) implements PreferenceLoss {

  public IpoSumLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    return pairs.margin().sub(Tensors.scalar(1 / (2 * beta))).square();
  }

  @Override
  public String name() {
    return "ipo_sum";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of(1 / (4 * beta * beta));
  }

  @Override
  public boolean usesScores() {
    return true;
  }
}
