package org.dpo4j.encode;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.dpo4j.ExampleKind;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.RowOrigin;
import org.jspecify.annotations.Nullable;

/**
 * Counts examples by result, with the first one of each result. A row is one example unless it
 * lists rejected completions or is a pair that is taken apart; a bad row counts as one. Not safe
 * for use by several threads.
 */
public final class EncodingCounts implements Serializable {
  private static final long serialVersionUID = 1;

  /**
   * @param rows the number of examples, or of bad rows
   * @param first the first of them
   */
  public record Tally(int rows, RowOrigin first) implements Serializable {
    private Tally plus(Tally later) {
      return new Tally(rows + later.rows, first);
    }
  }

  /** Why rows are left out. */
  public static final String LEFT_OUT = "left out for max_samples";

  private final TreeMap<String, Tally> cut = new TreeMap<>();
  private final TreeMap<String, Tally> dropped = new TreeMap<>();
  private final TreeMap<String, Tally> bad = new TreeMap<>();
  private final TreeMap<String, Tally> warnings = new TreeMap<>();
  private final TreeMap<String, Tally> notes = new TreeMap<>();
  private final ExampleKind kind;
  private int rows;
  private int examples;
  private int leftOut;
  private @Nullable RowOrigin last;

  /**
   * @param kind of the examples
   */
  EncodingCounts(ExampleKind kind) {
    this.kind = kind;
  }

  /** No pairs yet. */
  public static EncodingCounts ofPairs() {
    return new EncodingCounts(ExampleKind.PAIRS);
  }

  void count(EncodedRow row) {
    examples++;
    if (last == null || !row.origin().sameRow(last)) {
      rows++;
    }
    last = row.origin();
    switch (row.status()) {
      case KEPT -> {}
      case CUT -> tally(cut, row.reason(), row.origin());
      case DROPPED -> tally(dropped, row.reason(), row.origin());
    }
    if (row.usable().isPresent()) {
      row.warnings().forEach(warning -> tally(warnings, warning, row.origin()));
      row.notes().forEach(note -> tally(notes, note, row.origin()));
    }
  }

  void countBad(RowOrigin origin, BadRowException problem) {
    rows++;
    examples++;
    tally(bad, problem.reason(), origin);
  }

  /** Counts rows that were not looked into. */
  void countLeftOut(int more) {
    leftOut += more;
  }

  /** Adds the counts of later rows. */
  public void add(EncodingCounts later) {
    rows += later.rows;
    examples += later.examples;
    leftOut += later.leftOut;
    last = later.last == null ? last : later.last;
    later.cut.forEach((reason, tally) -> cut.merge(reason, tally, Tally::plus));
    later.dropped.forEach((reason, tally) -> dropped.merge(reason, tally, Tally::plus));
    later.bad.forEach((reason, tally) -> bad.merge(reason, tally, Tally::plus));
    later.warnings.forEach((reason, tally) -> warnings.merge(reason, tally, Tally::plus));
    later.notes.forEach((reason, tally) -> notes.merge(reason, tally, Tally::plus));
  }

  private static void tally(Map<String, Tally> tallies, String reason, RowOrigin origin) {
    tallies.merge(reason, new Tally(1, origin), Tally::plus);
  }

  /** All rows that were looked into, used or not. */
  public int rows() {
    return rows;
  }

  /** All examples, used or not; a bad row counts as one. */
  public int pairs() {
    return examples;
  }

  /** One of the examples in a message: a noun in the singular. */
  public String noun() {
    return kind.noun();
  }

  /** Rows behind the largest number that the user asked for; {@link #rows} is without them. */
  public int leftOut() {
    return leftOut;
  }

  /** Examples that are used, including those that were cut. */
  public int kept() {
    return examples - sum(dropped) - sum(bad);
  }

  /** Examples that are used after truncation. */
  public int cut() {
    return sum(cut);
  }

  /** Well-formed examples that are not used, by reason. */
  public Map<String, Tally> dropped() {
    return Collections.unmodifiableMap(dropped);
  }

  /** Bad rows that were skipped, by reason. */
  public Map<String, Tally> bad() {
    return Collections.unmodifiableMap(bad);
  }

  /** Used examples with warnings, by warning; an example may count more than once. */
  public Map<String, Tally> warnings() {
    return Collections.unmodifiableMap(warnings);
  }

  /** Used examples with notes on the chat template, by note. */
  public Map<String, Tally> notes() {
    return Collections.unmodifiableMap(notes);
  }

  /** One line for display, as in {@code 28 of 32 pairs kept, 3 of them cut by max_length; ...}. */
  public String summary() {
    List<String> parts = new ArrayList<>();
    parts.add(
        "%d of %d %ss kept".formatted(kept(), examples, noun())
            + (examples == rows ? "" : " from %d row%s".formatted(rows, rows == 1 ? "" : "s"))
            + (cut.isEmpty() ? "" : ", %d of them cut by max_length".formatted(cut())));
    add(parts, "dropped", dropped);
    add(parts, "bad and skipped", bad);
    if (leftOut > 0) {
      parts.add("%d row%s %s".formatted(leftOut, leftOut == 1 ? "" : "s", LEFT_OUT));
    }
    return String.join("; ", parts);
  }

  private static void add(List<String> parts, String fate, Map<String, Tally> tallies) {
    tallies.forEach(
        (reason, tally) ->
            parts.add("%d %s: %s (first %s)".formatted(tally.rows(), fate, reason, tally.first())));
  }

  private static int sum(Map<String, Tally> tallies) {
    return tallies.values().stream().mapToInt(Tally::rows).sum();
  }
}
