package org.dpo4j.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.dpo4j.reference.ScoredExample;

/**
 * The part of a step that one rank computes.
 *
 * @param microBatches in the order in which they are computed; may be none
 */
record StepShare(List<Part> microBatches) {

  /**
   * A micro-batch.
   *
   * @param number among all micro-batches of the step; dropout masks depend on it
   * @param places of the examples among all examples of the step
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Part(int number, int[] places, List<ScoredExample> examples) {}

  /**
   * Every n-th micro-batch; the micro-batches are those of a run of one process.
   *
   * @param step the micro-batches of all ranks
   */
  static StepShare roundRobin(List<List<ScoredExample>> step, int rank, int ranks) {
    List<Part> own = new ArrayList<>();
    int place = 0;
    for (int i = 0; i < step.size(); i++) {
      List<ScoredExample> examples = step.get(i);
      if (i % ranks == rank) {
        own.add(new Part(i, IntStream.range(place, place + examples.size()).toArray(), examples));
      }
      place += examples.size();
    }
    return new StepShare(own);
  }

  /**
   * Examples of about equal cost for each rank, since all wait for the slowest one: the most
   * expensive first, each to the rank with the least so far. For a loss of which each example is a
   * term of its own.
   *
   * @param examples of all ranks
   * @param size largest micro-batch
   * @param cost of an example
   */
  static StepShare balanced(
      List<ScoredExample> examples,
      int size,
      ToDoubleFunction<ScoredExample> cost,
      int rank,
      int ranks) {
    double[] costs = examples.stream().mapToDouble(cost).toArray();
    double[] sums = new double[ranks];
    int[] own =
        IntStream.range(0, costs.length)
            .boxed()
            .sorted(Comparator.comparingDouble(place -> -costs[place]))
            .filter(
                place -> {
                  int least = leastOf(sums);
                  sums[least] += costs[place];
                  return least == rank;
                })
            .mapToInt(Integer::intValue)
            .sorted()
            .toArray();
    List<Part> parts = new ArrayList<>();
    for (int from = 0; from < own.length; from += size) {
      int[] places = Arrays.copyOfRange(own, from, Math.min(own.length, from + size));
      parts.add(
          new Part(parts.size(), places, Arrays.stream(places).mapToObj(examples::get).toList()));
    }
    return new StepShare(parts);
  }

  private static int leastOf(double[] sums) {
    int least = 0;
    for (int i = 1; i < sums.length; i++) {
      if (sums[i] < sums[least]) {
        least = i;
      }
    }
    return least;
  }
}
