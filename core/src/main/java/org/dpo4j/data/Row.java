package org.dpo4j.data;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One row of a file: its pairs, or what is wrong with it. Exactly one of the two is there.
 *
 * @param origin file, line and number of the row
 * @param pairs what the row holds, more than one where it lists rejected completions; empty where
 *     it is bad
 * @param problem why the row is bad, or null
 */
public record Row(RowOrigin origin, List<PreferencePair> pairs, @Nullable BadRowException problem) {

  public Row {
    pairs = List.copyOf(pairs);
    if (pairs.isEmpty() == (problem == null)) {
      throw new IllegalArgumentException("a row must have either pairs or a problem");
    }
  }

  static Row good(RowOrigin origin, List<PreferencePair> pairs) {
    return new Row(origin, pairs, null);
  }

  static Row bad(RowOrigin origin, BadRowException problem) {
    return new Row(origin, List.of(), problem);
  }

  /** The pairs, or the problem thrown. */
  public List<PreferencePair> pairsOrThrow() {
    if (problem != null) {
      throw problem;
    }
    return pairs;
  }

  /** About how much text the row holds, by which memory is bounded; of a bad row nothing. */
  public long characters() {
    long sum = 0;
    for (PreferencePair pair : pairs) {
      sum += pair.characters();
    }
    return sum;
  }
}
