package org.dpo4j.data;

/**
 * Where a row came from.
 *
 * @param file the file as the user named it
 * @param line 1-based line on which the row starts, or 0 where lines mean nothing
 * @param row 1-based number of the row in the file
 */
public record RowOrigin(String file, int line, int row) {

  /** The start of every message about this row, as in {@code [train.jsonl:17]}. */
  @Override
  public String toString() {
    return line > 0 ? "[" + file + ":" + line + "]" : "[" + file + " row " + row + "]";
  }
}
