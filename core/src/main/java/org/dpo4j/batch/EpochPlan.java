package org.dpo4j.batch;

import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.dpo4j.data.Shuffle;

/**
 * Which pairs form which step of an epoch. Every pair is in exactly one micro-batch of the epoch,
 * and no step crosses an epoch; the last micro-batch and the last step may be smaller.
 *
 * @param pairs how many pairs the data set has, at least 1
 * @param microBatchSize pairs that go through the model together, at least 1
 * @param accumulation micro-batches of a step, at least 1
 * @param shuffle whether each epoch has an order of its own, drawn from the seed
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
   * The steps of an epoch (counted from 0): for each its micro-batches, for each its pairs. Only
   * the order of the pairs is in memory, 4 bytes each; a step is made when it is asked for.
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
