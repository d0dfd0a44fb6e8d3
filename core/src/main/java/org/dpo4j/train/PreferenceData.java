package org.dpo4j.train;

import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.PreferenceBatch;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.logprob.SequenceScores;
import org.dpo4j.logprob.TokenStatistics;
import org.dpo4j.loss.FDivergence;
import org.dpo4j.loss.LossInputs;
import org.dpo4j.loss.LossTerms;
import org.dpo4j.loss.Objective;
import org.dpo4j.model.CausalLm;
import org.dpo4j.reference.Reference;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Pairs together with what the reference says of them.
 *
 * @param pairs at least one; not copied, for they may be more than fit into memory
 * @param reference of the same pairs; null for objectives that need none
 */
public record PreferenceData(List<EncodedPair> pairs, @Nullable Reference reference) {

  public PreferenceData {
    if (pairs.isEmpty()) {
      throw new IllegalArgumentException("there must be at least one pair");
    }
  }

  /**
   * Forward pass of some pairs: the sum of weight x loss over them, a scalar, with gradients unless
   * these are switched off.
   */
  Tensor forward(CausalLm policy, Objective objective, int[] indices, MetricSums sums) {
    PreferenceBatch batch = PreferenceBatch.of(pairs, indices);
    SequenceScores scores = SequenceLogProbs.score(policy, batch.sequences(), objective.tail());
    PairLogProbs logProbs =
        PairLogProbs.ofSequences(scores.weighted(), batch.sequences().lengths());
    double[] weights = weights(indices);
    Tensor type = logProbs.chosen();
    LossInputs inputs =
        new LossInputs(
            logProbs,
            reference == null ? null : reference.of(batch, logProbs),
            FDivergence.NONE,
            scores.logProbs().view(-1, 2).select(1, 0),
            Tensors.like(type, chosenScored(scores.statistics())),
            Tensors.like(type, weights));
    LossTerms terms = objective.terms(inputs, Tensors.like(type, alignment(scores.statistics())));
    sums.add(terms, objective.loss().beta(), weights, logProbs, scores.statistics());
    return terms.loss().mul(inputs.weights()).sum();
  }

  /** How much the pairs count together. */
  double weight(int[] indices) {
    return IntStream.of(indices).mapToDouble(index -> pairs.get(index).weight()).sum();
  }

  private double[] weights(int[] indices) {
    return IntStream.of(indices).mapToDouble(index -> pairs.get(index).weight()).toArray();
  }

  private static double[] chosenScored(TokenStatistics statistics) {
    int[] tokens = statistics.tokens();
    return IntStream.range(0, tokens.length / 2).mapToDouble(i -> tokens[2 * i]).toArray();
  }

  /** The mean over tokens of each side, both sides added. */
  private static double[] alignment(TokenStatistics statistics) {
    double[] means = new double[statistics.tokens().length / 2];
    for (int i = 0; i < statistics.tokens().length; i++) {
      means[i / 2] += statistics.alignment()[i] / Math.max(1, statistics.tokens()[i]);
    }
    return means;
  }

  /** Means over all pairs, without gradients. */
  public PairMetrics evaluate(CausalLm policy, Objective objective, int batchSize) {
    MetricSums sums = new MetricSums();
    for (int from = 0, to; from < pairs.size(); from = to) {
      to = from + Math.min(batchSize, pairs.size() - from); // no sum beyond an int
      try (TensorScope scope = TensorScope.open();
          NoGrad noGrad = NoGrad.open()) {
        forward(policy, objective, IntStream.range(from, to).toArray(), sums);
      }
    }
    return sums.means();
  }
}
