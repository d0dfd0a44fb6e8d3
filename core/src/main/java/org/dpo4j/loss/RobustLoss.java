package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.UsageException;
import org.dpo4j.torch.Tensors;

/**
 * Robust DPO, unbiased under flipped labels: (-(1 - epsilon) log sigmoid(z) + epsilon log
 * sigmoid(-z)) / (1 - 2 epsilon), z = beta (s_w - s_l). Chowdhury et al. 2024, arXiv 2403.00409. It
 * can be negative.
 *
 * @param beta strength of the tie to the reference, positive
 * @param labelSmoothing epsilon, the probability that a label is flipped, in [0, 0.5)
 */
public record RobustLoss(double beta, double labelSmoothing) implements PreferenceLoss {

  public RobustLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requireSmoothing(labelSmoothing);
    if (labelSmoothing == 0.5) {
      throw new UsageException(
          "label_smoothing",
          "must be below 0.5 for robust, which divides by 1 - 2 x label_smoothing,",
          "was 0.5",
          "0.1 is usual");
    }
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor z = pairs.margin().mul(Tensors.scalar(beta));
    Tensor clean = PreferenceLoss.logistic(z).mul(Tensors.scalar(1 - labelSmoothing));
    Tensor flipped = PreferenceLoss.logistic(z.neg()).mul(Tensors.scalar(labelSmoothing));
    return clean.sub(flipped).div(Tensors.scalar(1 - 2 * labelSmoothing));
  }

  @Override
  public String name() {
    return "robust";
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
