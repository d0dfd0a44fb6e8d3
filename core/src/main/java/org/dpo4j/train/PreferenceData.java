package org.dpo4j.train;

import java.util.List;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.dpo4j.PairMetrics;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.loss.Objective;
import org.dpo4j.model.CausalLm;
import org.dpo4j.reference.Reference;
import org.dpo4j.reference.ScoredPair;
import org.jspecify.annotations.Nullable;

/**
 * Pairs with their reference.
 *
 * @param pairs at least one; not copied, since they may be more than fit into memory
 * @param reference of the same pairs; null for objectives without one
 */
public record PreferenceData(List<EncodedPair> pairs, @Nullable Reference reference) {

  public PreferenceData {
    if (pairs.isEmpty()) {
      throw new IllegalArgumentException("there must be at least one pair");
    }
  }

  /**
   * Reads each pair once.
   *
   * @param indices of the pairs, in [0, pairs.size())
   */
  List<ScoredPair> read(int... indices) {
    return IntStream.of(indices)
        .mapToObj(
            index -> {
              EncodedPair pair = pairs.get(index);
              return reference == null ? new ScoredPair(pair, null) : reference.scored(index, pair);
            })
        .toList();
  }

  /**
   * Means over all pairs, without gradients.
   *
   * @param batchSize pairs that go through the model together, at least 1
   */
  public PairMetrics evaluate(
      LogProbEngine engine, CausalLm policy, Objective objective, int batchSize) {
    MetricSums sums = MetricSums.NONE;
    for (int from = 0, to; from < pairs.size(); from = to) {
      to = from + Math.min(batchSize, pairs.size() - from); // no sum beyond an int
      List<ScoredPair> batch = read(IntStream.range(from, to).toArray());
      try (MicroBatch microBatch =
          MicroBatch.forward(
              engine,
              policy,
              objective,
              reference,
              batch,
              largestWeight(batch),
              LogProbEngine.Purpose.STATISTICS,
              OptionalLong.empty())) {
        sums = sums.plus(microBatch.metrics());
      }
    }
    return sums.means();
  }

  static double largestWeight(List<ScoredPair> pairs) {
    return pairs.stream().mapToDouble(pair -> pair.pair().weight()).max().orElseThrow();
  }
}
