package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.torch.Tensors;

/**
 * What a run minimizes: a loss, with the options that apply to every loss.
 *
 * @param loss one, or several on pairs as a {@link CombinedLoss}
 * @param divergence turns log-ratios into scores, in losses that use scores
 * @param tail weights tokens before log-probabilities are summed
 * @param weighting whether the loss of a pair is multiplied by the policy's normalized probability
 *     of its completions: Zhou et al. 2024 (WPO), arXiv 2406.11827, Eq. 2
 */
public record Objective(
    TrainingLoss loss, FDivergence divergence, LengthDesensitizing tail, boolean weighting) {

  /** A loss without further options. */
  public static Objective of(TrainingLoss loss) {
    return new Objective(loss, FDivergence.NONE, LengthDesensitizing.NONE, false);
  }

  /**
   * Loss and rewards of each pair, for a {@link PreferenceLoss}.
   *
   * @param alignment mean over the chosen tokens of log p(token) - log sum_v p(v)^2, plus the same
   *     mean over the rejected tokens; shape (batch), no gradient. Used only with {@code weighting}
   */
  public LossTerms terms(LossInputs pairs, Tensor alignment) {
    PreferenceLoss ofPairs = (PreferenceLoss) loss;
    Tensor values = ofPairs.of(pairs.under(divergence));
    if (weighting) {
      values = values.mul(alignment.exp());
    }
    return new LossTerms(values, rewards(ofPairs, pairs, true), rewards(ofPairs, pairs, false));
  }

  /** Beta times the log-ratio, or times the log-probability without a reference. */
  private static Tensor rewards(PreferenceLoss loss, LossInputs pairs, boolean chosen) {
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

  /** The mean loss where policy and reference agree; empty where it depends on the examples. */
  public OptionalDouble valueAtZero() {
    return weighting ? OptionalDouble.empty() : loss.valueAtZero();
  }
}
