package org.dpo4j.data;

import org.jspecify.annotations.Nullable;

/**
 * One row of a file: its pair, or what is wrong with it. Exactly one of the two is there.
 *
 * @param origin file, line and number of the row
 * @param pair what the row holds, or null where it is bad
 * @param problem why the row is bad, or null
 */
public record Row(
    RowOrigin origin, @Nullable PreferencePair pair, @Nullable BadRowException problem) {

  public Row {
    if ((pair == null) == (problem == null)) {
      throw new IllegalArgumentException("a row must have either a pair or a problem");
    }
  }

  static Row good(PreferencePair pair) {
    return new Row(pair.origin(), pair, null);
  }

  static Row bad(RowOrigin origin, BadRowException problem) {
    return new Row(origin, null, problem);
  }

  /** The pair, or the problem thrown. */
  public PreferencePair pairOrThrow() {
    if (pair == null) {
      throw java.util.Objects.requireNonNull(problem);
    }
    return pair;
  }
}
