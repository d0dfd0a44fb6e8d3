package org.dpo4j.data;

/**
 * Where a row came from.
 *
 * @param file the file as the user named it
 * @param line 1-based line on which the row starts, or 0 where lines mean nothing
 * @param row 1-based number of the row in the file
 * @param rejectedIndex 1-based number of the rejected completion in a row that lists several, or 0
 */
public record RowOrigin(String file, int line, int row, int rejectedIndex) {

  /** A row that lists no rejected completions, or the whole of one that does. */
  public RowOrigin(String file, int line, int row) {
    this(file, line, row, 0);
  }

  RowOrigin withRejected(int index) {
    return new RowOrigin(file, line, row, index);
  }

  /** The start of every message about this row, as in {@code [train.jsonl:17]}. */
  @Override
  public String toString() {
    return "[%s%s%s]"
        .formatted(
            file,
            line > 0 ? ":" + line : " row " + row,
            rejectedIndex > 0 ? ", rejected " + rejectedIndex : "");
  }
}
