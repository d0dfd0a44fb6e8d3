package org.dpo4j.batch;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

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

  /** The steps of an epoch (counted from 0): for each its micro-batches, for each its pairs. */
  public List<List<int[]>> steps(int epoch) {
    int[] order = order(epoch);
    List<List<int[]>> steps = new ArrayList<>();
    List<int[]> step = new ArrayList<>();
    for (int from = 0, to; from < pairs; from = to) {
      to = from + Math.min(microBatchSize, pairs - from); // no sum beyond an int
      step.add(Arrays.copyOfRange(order, from, to));
      if (step.size() == accumulation) {
        steps.add(step);
        step = new ArrayList<>();
      }
    }
    if (!step.isEmpty()) {
      steps.add(step);
    }
    return steps;
  }

  private int[] order(int epoch) {
    int[] order = new int[pairs];
    Arrays.setAll(order, i -> i);
    if (shuffle) {
      SplittableRandom random = new SplittableRandom(seed * 1_000_003L + epoch);
      for (int i = pairs - 1; i > 0; i--) { // Fisher-Yates
        int j = random.nextInt(i + 1);
        int swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
      }
    }
    return order;
  }
}
