package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * IPO on averages over tokens, as TRL computes it: (s_w / |y_w| - s_l / |y_l| - 1/(2 beta))^2. Azar
 * et al. 2023, arXiv 2310.12036, Eq. 17, with the length averaging that its authors confirmed to
 * TRL. {@link IpoSumLoss} is the printed form.
 *
 * @param beta the paper's tau, positive; on another scale than with sums
 */
public record IpoLoss(double beta) implements PreferenceLoss {

  public IpoLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    return pairs.averageMargin().sub(Tensors.scalar(1 / (2 * beta))).square();
  }

  @Override
  public String name() {
    return "ipo";
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
