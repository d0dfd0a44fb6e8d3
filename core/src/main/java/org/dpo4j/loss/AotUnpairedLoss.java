package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * AOT on unpaired data: {@link SigmoidLoss} with z = beta d, where d is the i-th smallest Delta_w
 * of the micro-batch less its i-th smallest Delta_l. Melnyk et al. 2024, arXiv 2406.05882; smoothed
 * as in TRL. The value depends on which pairs form a micro-batch, and value i belongs to no pair.
 *
 * @param beta strength of the tie to the reference, positive
 * @param labelSmoothing epsilon, share of pairs assumed to be labelled the wrong way, in [0, 0.5]
 */
public record AotUnpairedLoss(double beta, double labelSmoothing) implements PreferenceLoss {

  public AotUnpairedLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requireSmoothing(labelSmoothing);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor d =
        PreferenceLoss.sorted(pairs.chosenRatio())
            .sub(PreferenceLoss.sorted(pairs.rejectedRatio()));
    return PreferenceLoss.smoothedLogistic(d.mul(Tensors.scalar(beta)), labelSmoothing);
  }

  @Override
  public String name() {
    return "aot_unpaired";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of(Math.log(2));
  }

  @Override
  public boolean keepsExamples() {
    return false;
  }
}
