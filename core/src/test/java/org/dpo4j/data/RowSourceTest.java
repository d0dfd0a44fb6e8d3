package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Closes a file without line breaks, or a packed bomb, that fills the memory. */
class RowSourceTest {

  @Test
  void aRowBeyondTheLimitIsNotHeldAndTheNextOneIsRead() throws IOException {
    JsonLinesSource source = new JsonLinesSource(longLineThen("\n{}"));
    JsonRow first = source.next().orElseThrow();
    assertThat(first.tooLong()).isTrue();
    assertThat(first.bytes()).hasSize(RowSource.MAX_ROW_BYTES);
    assertThat(source.next().orElseThrow().bytes()).asString().isEqualTo("{}");
    assertThat(source.next()).isEmpty();
  }

  /** One byte more than a row may have, and then a tail. */
  private static InputStream longLineThen(String tail) {
    byte[] line = new byte[RowSource.MAX_ROW_BYTES + 1];
    Arrays.fill(line, (byte) 'x');
    return new SequenceInputStream(
        new ByteArrayInputStream(line),
        new ByteArrayInputStream(tail.getBytes(StandardCharsets.UTF_8)));
  }
}
