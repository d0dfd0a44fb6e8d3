package org.dpo4j.data;

import java.io.Closeable;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.options.Limit;

/** Cuts a file into its rows, one at a time and in order. */
interface RowSource extends Closeable {

  /** A longer row is a bad row and is not kept in memory. */
  int MAX_ROW_BYTES = Limit.ROW_BYTES.length();

  /**
   * The next row, or empty at the end of a well-formed file.
   *
   * @throws IOException if the file cannot be read to its end
   * @throws org.dpo4j.DpoException if it is malformed beyond this point
   */
  Optional<? extends RawRow> next() throws IOException;

  /** An unparsed row of a file. */
  interface RawRow {

    /** 1-based line on which the row starts, or 0 where lines mean nothing. */
    int line();

    /**
     * The row's columns in their order, as plain Java: String, Boolean, Integer, Long, Double,
     * List, Map, null.
     *
     * @throws BadRowException if the row is malformed; the next row may still be read
     */
    Map<?, ?> columns(RowOrigin origin);
  }
}
