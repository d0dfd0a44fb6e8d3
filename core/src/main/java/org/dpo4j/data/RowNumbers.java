package org.dpo4j.data;

import java.util.OptionalDouble;

/**
 * The numbers of a row, beside its completions.
 *
 * @param weight in the loss, relative to the other examples; positive and finite. Empty if the row
 *     has none
 * @param margin by which the chosen completion is the better one, for a loss with an offset;
 *     finite. Empty if no loss reads it
 */
public record RowNumbers(OptionalDouble weight, OptionalDouble margin) {

  /** Neither a weight nor a margin. */
  public static final RowNumbers NONE =
      new RowNumbers(OptionalDouble.empty(), OptionalDouble.empty());

  public RowNumbers {
    double number = weight.orElse(1);
    if (!(number > 0) || Double.isInfinite(number)) { // !(>) refuses NaN too
      throw new IllegalArgumentException("weight must be positive and finite but was " + number);
    }
    if (!Double.isFinite(margin.orElse(0))) {
      throw new IllegalArgumentException("margin must be finite but was " + margin.getAsDouble());
    }
  }

  /** A weight without a margin. */
  public static RowNumbers ofWeight(double weight) {
    return new RowNumbers(OptionalDouble.of(weight), OptionalDouble.empty());
  }
}
