package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * Length-normalized DPO: {@link SigmoidLoss} with z = beta (s_w / |y_w| - s_l / |y_l|), as TRL's
 * {@code sigmoid_norm}; Lambert et al. 2024 (Tulu 3), arXiv 2411.15124. Rewards use sums.
 *
 * @param beta strength of the tie to the reference, positive; larger than with sums
 * @param labelSmoothing epsilon, share of pairs assumed to be labelled the wrong way, in [0, 0.5]
 */
public record SigmoidNormLoss(double beta, double labelSmoothing) implements PreferenceLoss {

  public SigmoidNormLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requireSmoothing(labelSmoothing);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor z = pairs.averageMargin().mul(Tensors.scalar(beta));
    return PreferenceLoss.smoothedLogistic(z, labelSmoothing);
  }

  @Override
  public String name() {
    return "sigmoid_norm";
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
