package org.dpo4j.batch;

import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.dpo4j.data.Shuffle;

/**
 * The assignment of pairs to the steps and micro-batches of an epoch: a function of these five
 * numbers. Every pair is in exactly one micro-batch of an epoch, and no step crosses an epoch; the
 * last micro-batch and the last step may be smaller.
 *
 * @param pairs pairs of the data set, at least 1
 * @param microBatchSize pairs that go through the model together, at least 1
 * @param accumulation micro-batches of a step, at least 1
 * @param shuffle whether each epoch has its own random order
 * @param seed of the orders
 */
public record EpochPlan(
    int pairs, int microBatchSize, int accumulation, boolean shuffle, long seed) {

  public EpochPlan {
    if (pairs < 1 || microBatchSize < 1 || accumulation < 1) {
      throw new IllegalArgumentException(
          "pairs, microBatchSize and accumulation must be at least 1 but were "
              + pairs
              + ", "
              + microBatchSize
              + ", "
              + accumulation);
    }
  }

  public int microBatchesPerEpoch() {
    return (pairs - 1) / microBatchSize + 1;
  }

  public int stepsPerEpoch() {
    return (microBatchesPerEpoch() - 1) / accumulation + 1;
  }

  /**
   * The steps of an epoch: the micro-batches of each step, and the indices of the pairs of each
   * micro-batch. Takes 4 bytes per pair; {@code get} creates a step.
   */
  public List<List<int[]>> steps(int epoch) {
    return new Steps(order(epoch));
  }

  private final class Steps extends AbstractList<List<int[]>> {
    private final int[] order;

    Steps(int[] order) {
      this.order = order;
    }

    @Override
    public List<int[]> get(int index) {
      Objects.checkIndex(index, size());
      long pairsOfStep = (long) microBatchSize * accumulation;
      long end = Math.min(pairs, (index + 1) * pairsOfStep);
      List<int[]> step = new ArrayList<>();
      for (long from = index * pairsOfStep, to; from < end; from = to) {
        to = Math.min(end, from + microBatchSize);
        step.add(Arrays.copyOfRange(order, (int) from, (int) to));
      }
      return step;
    }

    @Override
    public int size() {
      return stepsPerEpoch();
    }
  }

  private int[] order(int epoch) {
    if (shuffle) {
      return Shuffle.of(pairs, seed * 1_000_003L + epoch);
    }
    int[] order = new int[pairs];
    Arrays.setAll(order, i -> i);
    return order;
  }
}
