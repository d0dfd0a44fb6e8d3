package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.torch.Tensors;

/**
 * What a run makes small: a loss, and what can be set around every loss.
 *
 * @param loss one, or several as a {@link CombinedLoss}
 * @param divergence makes scores of log-ratios, in losses that use them
 * @param tail weights tokens before log-probabilities are summed
 * @param weighting whether the loss of a pair is multiplied with how likely the policy is to write
 *     its completions: Zhou et al. 2024 (WPO), arXiv 2406.11827, Eq. 2
 */
public record Objective(
    PreferenceLoss loss, FDivergence divergence, LengthDesensitizing tail, boolean weighting) {

  /** A loss with nothing around it. */
  public static Objective of(PreferenceLoss loss) {
    return new Objective(loss, FDivergence.NONE, LengthDesensitizing.NONE, false);
  }

  /**
   * Loss and rewards of each pair.
   *
   * @param alignment the mean over tokens of log p(token) - log sum_v p(v)^2, the chosen's and the
   *     rejected's added, shape (batch), no gradient; looked at with {@code weighting} only
   */
  public LossTerms terms(LossInputs pairs, Tensor alignment) {
    Tensor values = loss.of(pairs.under(divergence));
    if (weighting) {
      values = values.mul(alignment.exp());
    }
    return new LossTerms(values, rewards(pairs, true), rewards(pairs, false));
  }

  /** Beta times the log-ratio, or times the log-probability where nothing is compared. */
  private Tensor rewards(LossInputs pairs, boolean chosen) {
    PairLogProbs policy = pairs.policy();
    Tensor value;
    if (pairs.reference() != null) {
      value = chosen ? pairs.chosenRatio() : pairs.rejectedRatio();
    } else if (loss.averagesRewards()) {
      value = chosen ? pairs.chosenAverage() : pairs.rejectedAverage();
    } else {
      value = chosen ? policy.chosen() : policy.rejected();
    }
    return value.detach().mul(Tensors.scalar(loss.beta()));
  }

  /** The mean loss where policy and reference agree; empty where it depends on the pairs. */
  public OptionalDouble valueAtZero() {
    return weighting ? OptionalDouble.empty() : loss.valueAtZero();
  }
}
