package org.dpo4j.data;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One row of a file: either its pairs or the problem with it.
 *
 * @param origin file, line and number of the row
 * @param pairs the row's pairs: several if it lists rejected completions, none if it is bad
 * @param problem why the row is bad, or null
 */
public record Row(RowOrigin origin, List<Example> pairs, @Nullable BadRowException problem) {

  public Row {
    pairs = List.copyOf(pairs);
    if (pairs.isEmpty() == (problem == null)) {
      throw new IllegalArgumentException("a row must have either pairs or a problem");
    }
  }

  static Row good(RowOrigin origin, List<Example> pairs) {
    return new Row(origin, pairs, null);
  }

  static Row bad(RowOrigin origin, BadRowException problem) {
    return new Row(origin, List.of(), problem);
  }

  /** The pairs; throws the problem of a bad row. */
  public List<Example> pairsOrThrow() {
    if (problem != null) {
      throw problem;
    }
    return pairs;
  }

  /**
   * The approximate size of the row as {@link Example#characters}, used to bound memory; 0 for a
   * bad row.
   */
  public long characters() {
    long sum = 0;
    for (Example pair : pairs) {
      sum += pair.characters();
    }
    return sum;
  }
}
