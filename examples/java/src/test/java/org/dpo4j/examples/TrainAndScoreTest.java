package org.dpo4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: an example that no longer compiles or no longer runs. */
class TrainAndScoreTest {

  @Test
  void trainsAndThenScoresWithTheTunedModel(@TempDir Path work) {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream before = System.out;
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      TrainAndScore.main(
          new String[] {"../tiny-chat", "../pairs.jsonl", work.resolve("tuned").toString(), "3"});
    } finally {
      System.setOut(before);
    }
    assertThat(work.resolve("tuned/model.safetensors")).exists();
    assertThat(printed.toString(StandardCharsets.UTF_8))
        .contains("start check passed")
        .containsPattern("loss 0\\.\\d{4}, reward margin [+-]\\d+\\.\\d{4}");
  }
}
