package org.dpo4j.data;

import java.io.Serializable;

/**
 * The place of a row.
 *
 * @param file the file as the user named it
 * @param line 1-based line on which the row starts, or 0 in formats without lines
 * @param row 1-based number of the row in the file
 * @param rejectedIndex 1-based number of the rejected completion in a row that lists several, or 0
 */
public record RowOrigin(String file, int line, int row, int rejectedIndex) implements Serializable {

  /** A row as a whole, whether or not it lists rejected completions. */
  public RowOrigin(String file, int line, int row) {
    this(file, line, row, 0);
  }

  /** Whether another origin is in the same row. */
  public boolean sameRow(RowOrigin other) {
    return row == other.row && file.equals(other.file);
  }

  /** The place without its line, by which rows are known in formats of any kind. */
  public RowOrigin withoutLine() {
    return new RowOrigin(file, 0, row, rejectedIndex);
  }

  RowOrigin withRejected(int index) {
    return new RowOrigin(file, line, row, index);
  }

  /** The prefix of every message about this row, as in {@code [train.jsonl:17]}. */
  @Override
  public String toString() {
    return "[%s%s%s]"
        .formatted(
            file,
            line > 0 ? ":" + line : " row " + row,
            rejectedIndex > 0 ? ", rejected " + rejectedIndex : "");
  }
}
