package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;

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
    UnpairedLoss.requireSettings(beta, desirableWeight, undesirableWeight);
  }

  @Override
  public Tensor of(UnpairedInputs examples) {
    return weighted(examples.ratio(), examples);
  }

  @Override
  public boolean usesKl() {
    return false;
  }

  @Override
  public String name() {
    return "apo_zero_unpaired";
  }
}
