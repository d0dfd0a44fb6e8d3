package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;

/**
 * Supervised fine-tuning on the chosen completions: the mean of -log p(token) over all chosen
 * tokens of the micro-batch, the same value for each of its pairs, as in TRL. Beside {@code
 * sigmoid} it is RPO: Pang et al. 2024, arXiv 2404.19733, Eq. 1, except for the mean over tokens.
 * Only the logged rewards use the reference.
 *
 * @param beta scale of the logged rewards, positive; not used by the loss
 */
public record SftLoss(double beta) implements PreferenceLoss {

  public SftLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    return pairs.chosenTokenLoss().expand(pairs.chosenSums().shape());
  }

  @Override
  public String name() {
    return "sft";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.empty();
  }

  /** The mean is over the tokens of all pairs. */
  @Override
  public boolean separable() {
    return false;
  }

  @Override
  public ReferenceUse reference() {
    return ReferenceUse.REWARDS;
  }
}
