package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import org.junit.jupiter.api.Test;

/** Closes a file without line breaks, or a packed bomb, that fills the memory. */
class RowSourceTest {

  @Test
  void aRowBeyondTheLimitIsNotHeldAndTheNextOneIsRead() throws IOException {
    JsonLinesSource source = new JsonLinesSource(longLineThen("\n{}"));
    RowSource.RawRow first = source.next().orElseThrow();
    assertThat(first.tooLong()).isTrue();
    assertThat(first.bytes()).hasSize(RowSource.MAX_ROW_BYTES);
    assertThat(source.next().orElseThrow().bytes()).asString().isEqualTo("{}");
    assertThat(source.next()).isEmpty();
  }

  /** One byte more than a row may have, made while it is read, and then a tail. */
  private static InputStream longLineThen(String tail) {
    return new InputStream() {
      private int at;

      @Override
      public int read() {
        int rest = at++ - RowSource.MAX_ROW_BYTES - 1;
        return rest < 0 ? 'x' : rest < tail.length() ? tail.charAt(rest) : -1;
      }
    };
  }
}
