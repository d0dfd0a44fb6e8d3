package org.dpo4j.options;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.dpo4j.DpoException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Closes: a limit that the page does not name, and a file that is read beyond its limit. */
class LimitTest {

  @ParameterizedTest
  @EnumSource
  void thePageHasTheLimit(Limit limit) throws IOException {
    String row = "| `%s` | %s |".formatted(limit.property(), words(limit.value()));
    assertThat(Path.of("../docs/reference/limits.md")).content().contains(row);
  }

  private static String words(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  @Test
  void aFileOfItsLimitIsReadAndALongerOneIsRefused(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("a.txt");
    byte[] bytes = new byte[Limit.TEMPLATE_BYTES.length()];
    Files.write(file, bytes);
    assertThat(BoundedFile.bytes(file, Limit.TEMPLATE_BYTES)).hasSize(bytes.length);
    Files.write(file, new byte[bytes.length + 1]);
    assertThatThrownBy(() -> BoundedFile.bytes(file, Limit.TEMPLATE_BYTES))
        .isInstanceOf(DpoException.class)
        .hasMessage(
            "[%s] the file must be at most 1,048,576 bytes but is more; if the file is sound, raise the limit: DPO4J_JAVA_OPTS=-Ddpo4j.limit.template_bytes=N",
            file);
  }
}
