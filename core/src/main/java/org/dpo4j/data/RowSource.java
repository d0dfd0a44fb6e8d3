package org.dpo4j.data;

import java.io.Closeable;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;

/** Cuts a file into its rows, one at a time and in order. */
interface RowSource extends Closeable {

  /** A row longer than this is reported as a bad row and not held in memory. */
  int MAX_ROW_BYTES = 16 << 20;

  /**
   * The next row, or empty at the end of a well-formed file.
   *
   * @throws IOException if the file cannot be read to its end
   * @throws org.dpo4j.DpoException if it is not of its format, so that no row can be told any more
   */
  Optional<? extends RawRow> next() throws IOException;

  /** A row as it stands in the file, not yet understood. */
  interface RawRow {

    /** 1-based line on which the row starts, or 0 where lines mean nothing. */
    int line();

    /**
     * The row's columns in their order, as plain Java: String, Boolean, Integer, Long, Double,
     * List, Map, null.
     *
     * @throws BadRowException if the row cannot be understood, which says nothing of the next one
     */
    Map<?, ?> columns(RowOrigin origin);
  }
}
