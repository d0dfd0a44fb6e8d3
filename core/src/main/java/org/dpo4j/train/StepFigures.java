package org.dpo4j.train;

import java.util.ArrayList;
import java.util.List;
import org.dpo4j.ExampleKind;
import org.dpo4j.ranks.Ranks;
import org.dpo4j.reference.ScoredExample;

/**
 * The numbers of each example of a step or of a part of an evaluation, of which every rank has
 * computed some. Each rank then adds them up in the order of the examples, so that the sums do not
 * depend on which rank has computed which.
 */
final class StepFigures {

  private static final int WIDTH = MetricSums.FIELDS + 1;

  private double[] values; // of one example after the other; zero where another rank computes

  StepFigures(int examples) {
    values = new double[WIDTH * examples];
  }

  /**
   * Sets the numbers of an example that this rank has computed.
   *
   * @param place of the example
   * @param pull as in {@link ExampleNumbers}
   */
  void set(int place, MetricSums sums, double pull) {
    double[] fields = sums.toArray();
    System.arraycopy(fields, 0, values, WIDTH * place, fields.length);
    values[WIDTH * place + MetricSums.FIELDS] = pull;
  }

  /** Gets those of the other ranks. */
  void exchange(Ranks ranks) {
    values = ranks.sum(values);
  }

  private MetricSums of(int place) {
    return MetricSums.of(values, WIDTH * place);
  }

  /** Adds the numbers of all examples, in order. */
  MetricSums addTo(MetricSums before) {
    MetricSums sums = before;
    for (int place = 0; place < values.length / WIDTH; place++) {
      sums = sums.plus(of(place));
    }
    return sums;
  }

  /**
   * The numbers of the pairs that have a weight; none of other examples.
   *
   * @param examples in order
   */
  List<ExampleNumbers> pairs(List<ScoredExample> examples, ExampleKind kind) {
    List<ExampleNumbers> pairs = new ArrayList<>();
    if (kind == ExampleKind.PAIRS) {
      for (int place = 0; place < examples.size(); place++) {
        MetricSums sums = of(place);
        if (sums.weight() > 0) {
          pairs.add(
              ExampleNumbers.of(
                  examples.get(place).example().origin(),
                  sums,
                  values[WIDTH * place + MetricSums.FIELDS]));
        }
      }
    }
    return pairs;
  }
}
