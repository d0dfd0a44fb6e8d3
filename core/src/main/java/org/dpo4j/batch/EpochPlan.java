package org.dpo4j.batch;

import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.dpo4j.data.Shuffle;

/**
 * The assignment of examples to the steps and micro-batches of an epoch: a function of these five
 * numbers. Every example is in exactly one micro-batch of an epoch, and no step crosses an epoch;
 * the last micro-batch and the last step may be smaller.
 *
 * @param examples examples of the data set, at least 1
 * @param microBatchSize examples that go through the model together, at least 1
 * @param accumulation micro-batches of a step, at least 1
 * @param order of the examples in an epoch
 * @param seed of random orders
 */
public record EpochPlan(
    int examples, int microBatchSize, int accumulation, Order order, long seed) {

  /** The order of the examples in an epoch. */
  public enum Order {
    /** That of the data set, in every epoch. */
    FILE,
    /** A random order for each epoch. */
    SHUFFLED,
    /**
     * Micro-batches are those of {@link #FILE}, in a random order for each epoch; an incomplete one
     * stays the last. For losses whose examples depend on the others of their micro-batch.
     */
    SHUFFLED_BATCHES
  }

  public EpochPlan {
    if (examples < 1 || microBatchSize < 1 || accumulation < 1) {
      throw new IllegalArgumentException(
          "examples, microBatchSize and accumulation must be at least 1 but were "
              + examples
              + ", "
              + microBatchSize
              + ", "
              + accumulation);
    }
  }

  public int microBatchesPerEpoch() {
    return (examples - 1) / microBatchSize + 1;
  }

  public int stepsPerEpoch() {
    return (microBatchesPerEpoch() - 1) / accumulation + 1;
  }

  /**
   * The steps of an epoch: the micro-batches of each step, and the indices of the examples of each
   * micro-batch. Takes 4 bytes per example; {@code get} creates a step.
   */
  public List<List<int[]>> steps(int epoch) {
    return new Steps(order(epoch));
  }

  private final class Steps extends AbstractList<List<int[]>> {
    private final int[] indices;

    Steps(int[] indices) {
      this.indices = indices;
    }

    @Override
    public List<int[]> get(int index) {
      Objects.checkIndex(index, size());
      long examplesOfStep = (long) microBatchSize * accumulation;
      long end = Math.min(examples, (index + 1) * examplesOfStep);
      List<int[]> step = new ArrayList<>();
      for (long from = index * examplesOfStep, to; from < end; from = to) {
        to = Math.min(end, from + microBatchSize);
        step.add(Arrays.copyOfRange(indices, (int) from, (int) to));
      }
      return step;
    }

    @Override
    public int size() {
      return stepsPerEpoch();
    }
  }

  private int[] order(int epoch) {
    long seedOfEpoch = seed * 1_000_003L + epoch;
    return switch (order) {
      case FILE -> IntStream.range(0, examples).toArray();
      case SHUFFLED -> Shuffle.of(examples, seedOfEpoch);
      case SHUFFLED_BATCHES -> {
        int complete = examples / microBatchSize;
        IntStream shuffled =
            IntStream.of(Shuffle.of(complete, seedOfEpoch))
                .flatMap(
                    batch -> IntStream.range(batch * microBatchSize, (batch + 1) * microBatchSize));
        yield IntStream.concat(shuffled, IntStream.range(complete * microBatchSize, examples))
            .toArray();
      }
    };
  }
}
