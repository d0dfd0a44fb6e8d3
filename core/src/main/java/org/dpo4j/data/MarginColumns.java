package org.dpo4j.data;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;

/** The columns that give a pair its margin, by which its chosen completion is the better one. */
@SuppressWarnings("ImmutableEnumChecker") // immutable lists
enum MarginColumns {
  /** The margin itself. */
  MARGIN("margin"),
  /** Scores of both completions: the margin is the logarithm of their difference. */
  SCORES("score_chosen", "score_rejected");

  /** The names of all columns. */
  static final List<String> NAMES =
      Arrays.stream(values()).flatMap(way -> way.names.stream()).toList();

  /** Keeps offsets within the range of 32 bits, also as multiples. */
  private static final double LARGEST = 1e30;

  private final List<String> names;

  MarginColumns(String... names) {
    this.names = List.of(names);
  }

  /**
   * The columns that the first row of a file has.
   *
   * @throws DpoException if it has none of them, or both ways: no row of the file can be used
   * @throws BadRowException if it has the columns but no value in them
   */
  static MarginColumns of(RowFields row) {
    List<MarginColumns> given = Stream.of(values()).filter(way -> way.isGivenBy(row)).toList();
    if (given.size() > 1) {
      throw new DpoException(
          OptionText.of(
              "%s {loss_type} odpo takes the offset from \"margin\", or from \"score_chosen\" and"
                  + " \"score_rejected\", but the row has both; remove one of them, or give it"
                  + " another name",
              row.origin()));
    }
    if (!given.isEmpty()) {
      return given.get(0);
    }
    NAMES.stream().filter(row::has).findFirst().ifPresent(row::present);
    throw new DpoException(
        OptionText.of(
            "%s {loss_type} odpo needs a column \"margin\", or \"score_chosen\" and"
                + " \"score_rejected\", but the row has %s; where they have other names, pass"
                + " {columns} margin=NAME, or change the loss",
            row.origin(), RowFields.listed(row.values())));
  }

  /** Null counts as no value. */
  private boolean isGivenBy(RowFields row) {
    return names.stream().anyMatch(name -> row.get(name) != null);
  }

  /** As in {@code "margin"}. */
  String quoted() {
    return "\"" + String.join("\" and \"", names) + "\"";
  }

  /**
   * The margin of a row.
   *
   * @throws BadRowException if it has none, or columns that the first row does not have
   */
  double read(RowFields row) {
    for (MarginColumns other : values()) {
      if (other != this && other.isGivenBy(row)) {
        throw row.bad(
            "field %s that the first row does not have".formatted(other.quoted()),
            "give every row of the file %s".formatted(quoted()));
      }
    }
    return this == MARGIN ? margin(row) : ofScores(row);
  }

  private static double margin(RowFields row) {
    double margin = finite(row, "margin");
    if (Math.abs(margin) > LARGEST) {
      throw row.bad(
          "margin that is not from -1e30 to 1e30", "it is %s".formatted(row.get("margin")));
    }
    return margin;
  }

  private static double ofScores(RowFields row) {
    double chosen = finite(row, "score_chosen");
    double rejected = finite(row, "score_rejected");
    if (!(chosen > rejected)) {
      throw row.bad(
          "score_chosen that is not above score_rejected",
          "they are %s and %s, and the offset is the logarithm of their difference; remove the row"
                  .formatted(row.get("score_chosen"), row.get("score_rejected"))
              + " or, if its sides are the wrong way round, swap them");
    }
    double difference = chosen - rejected;
    if (Double.isInfinite(difference)) {
      throw row.bad(
          "scores whose difference is not a finite number",
          "they are %s and %s".formatted(row.get("score_chosen"), row.get("score_rejected")));
    }
    return Math.log(difference);
  }

  private static double finite(RowFields row, String column) {
    String reason = column + " that is not a finite number";
    double value = row.number(column, reason);
    if (!Double.isFinite(value)) {
      throw row.bad(reason, "it is %s".formatted(row.get(column)));
    }
    return value;
  }
}
