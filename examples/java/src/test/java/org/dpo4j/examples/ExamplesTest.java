package org.dpo4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: examples that no longer compile, no longer run, or are no longer short. */
class ExamplesTest {

  @Test
  void everyPartRuns(@TempDir Path work) {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream before = System.out;
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      Examples.main(
          new String[] {"../tiny-chat", "../pairs.jsonl", work.resolve("tuned").toString(), "3"});
    } finally {
      System.setOut(before);
    }
    assertThat(work.resolve("tuned/model.safetensors")).exists();
    assertThat(printed.toString(StandardCharsets.UTF_8))
        .contains("step 1 of 3", "step 3 of 3")
        .containsPattern("held-out loss: \\d\\.\\d{4} before, \\d\\.\\d{4} after")
        .containsPattern("(reward margin [+-]\\d+\\.\\d{4}\\R){3}.+\\R")
        .contains("ended after step 1: CANCELLED");
  }

  @Test
  void noPartHasMoreThanTenLines() throws IOException {
    List<String> lines =
        Files.readAllLines(Path.of("src/main/java/org/dpo4j/examples/Examples.java"));
    Pattern method = Pattern.compile("  (public |private )?static .*\\{");
    int parts = 0;
    for (int i = 0; i < lines.size(); i++) {
      if (method.matcher(lines.get(i)).matches()) {
        int length = lines.subList(i, lines.size()).indexOf("  }") - 1;
        assertThat(length).as(lines.get(i)).isLessThanOrEqualTo(10);
        parts++;
      }
    }
    assertThat(parts).isGreaterThanOrEqualTo(6);
  }
}
