package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/**
 * APO-zero on single completions: lambda_y (1 - sigmoid(r)) for a desirable one, lambda_y
 * sigmoid(r) for an undesirable one, r = beta Delta. D'Oosterlinck et al. 2024, arXiv 2408.06266,
 * Eq. 7, its two terms apart; as TRL's {@code apo_zero_unpaired}.
 *
 * @param beta strength of the tie to the reference, positive
 * @param desirableWeight lambda of desirable completions, positive
 * @param undesirableWeight lambda of undesirable completions, positive
 */
public record ApoZeroUnpairedLoss(double beta, double desirableWeight, double undesirableWeight)
    implements UnpairedLoss {

  public ApoZeroUnpairedLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requirePositive("desirable_weight", desirableWeight);
    PreferenceLoss.requirePositive("undesirable_weight", undesirableWeight);
  }

  @Override
  public Tensor of(UnpairedInputs examples) {
    return torch
        .sigmoid(examples.ratio().mul(examples.sign()).mul(Tensors.scalar(-beta)))
        .mul(examples.byLabel(desirableWeight, undesirableWeight));
  }

  @Override
  public boolean usesKl() {
    return false;
  }

  @Override
  public String name() {
    return "apo_zero_unpaired";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return desirableWeight == undesirableWeight
        ? OptionalDouble.of(desirableWeight / 2)
        : OptionalDouble.empty();
  }
}
