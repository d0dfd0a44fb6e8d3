package org.dpo4j.data;

import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;

/** One row per line. Blank lines are skipped but counted. */
final class JsonLinesSource implements RowSource {
  private final InputStream in;
  private int line;

  JsonLinesSource(InputStream in) {
    this.in = in;
  }

  @Override
  public Optional<JsonRow> next() throws IOException {
    int b = 0;
    while (b != -1) {
      line++;
      JsonRow.Bytes row = new JsonRow.Bytes();
      boolean blank = true;
      while ((b = in.read()) != -1 && b != '\n') {
        row.add(b);
        blank &= b == ' ' || b == '\t' || b == '\r';
      }
      if (!blank) {
        return Optional.of(row.toRow(line));
      }
    }
    return Optional.empty();
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
