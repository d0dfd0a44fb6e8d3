package org.dpo4j.data;

import java.io.ByteArrayOutputStream;
import java.util.Map;

/**
 * The bytes of one JSON object.
 *
 * @param bytes at most {@link RowSource#MAX_ROW_BYTES}
 * @param line 1-based line on which the row starts
 * @param tooLong whether bytes beyond the limit were left out
 */
@SuppressWarnings("ArrayRecordComponent") // used inside this package only
record JsonRow(byte[] bytes, int line, boolean tooLong) implements RowSource.RawRow {

  @Override
  public Map<?, ?> columns(RowOrigin origin) {
    if (tooLong) {
      throw new BadRowException(
          origin,
          "row too long",
          "a row must be at most %d MiB; is a line break missing?"
              .formatted(RowSource.MAX_ROW_BYTES >> 20));
    }
    return RowJson.read(origin, bytes);
  }

  /** Collects the bytes of one row up to the limit. */
  static final class Bytes {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private boolean tooLong;

    void add(int b) {
      if (bytes.size() < RowSource.MAX_ROW_BYTES) {
        bytes.write(b);
      } else {
        tooLong = true;
      }
    }

    JsonRow toRow(int line) {
      return new JsonRow(bytes.toByteArray(), line, tooLong);
    }
  }
}
