package org.dpo4j.train;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.PairMetrics;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.loss.Objective;
import org.dpo4j.model.CausalLm;
import org.dpo4j.reference.Reference;
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

  /** How much each pair counts. */
  double[] weights(int[] indices) {
    return IntStream.of(indices).mapToDouble(index -> pairs.get(index).weight()).toArray();
  }

  /** Means over all pairs, without gradients. */
  public PairMetrics evaluate(
      LogProbEngine engine, CausalLm policy, Objective objective, int batchSize) {
    MetricSums sums = new MetricSums();
    for (int from = 0, to; from < pairs.size(); from = to) {
      to = from + Math.min(batchSize, pairs.size() - from); // no sum beyond an int
      int[] indices = IntStream.range(from, to).toArray();
      double unit = Arrays.stream(weights(indices)).max().orElseThrow();
      new MicroBatch(
              this,
              engine,
              policy,
              objective,
              indices,
              unit,
              LogProbEngine.Purpose.STATISTICS,
              sums)
          .close();
    }
    return sums.means();
  }
}
