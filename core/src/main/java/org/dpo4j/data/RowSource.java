package org.dpo4j.data;

import java.io.IOException;
import java.util.Optional;

/** Cuts a byte stream into the bytes of its rows without understanding them. */
interface RowSource {

  /** A row longer than this is reported as a bad row and not held in memory. */
  int MAX_ROW_BYTES = 16 << 20;

  /** The next row, or empty at the end of a well-formed file. */
  Optional<RawRow> next() throws IOException;

  /**
   * @param bytes of the row, at most {@link #MAX_ROW_BYTES}
   * @param line 1-based line on which the row starts
   * @param tooLong whether bytes beyond the limit were left out
   */
  @SuppressWarnings("ArrayRecordComponent") // a carrier between two classes of this package
  record RawRow(byte[] bytes, int line, boolean tooLong) {}

  /** Collects the bytes of one row up to the limit. */
  final class RowBytes {
    private final java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();
    private boolean tooLong;

    void add(int b) {
      if (bytes.size() < MAX_ROW_BYTES) {
        bytes.write(b);
      } else {
        tooLong = true;
      }
    }

    RawRow toRow(int line) {
      return new RawRow(bytes.toByteArray(), line, tooLong);
    }
  }
}
