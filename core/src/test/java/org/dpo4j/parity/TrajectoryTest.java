package org.dpo4j.parity;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes: a training run that goes another way than TRL's on the same data and settings. */
class TrajectoryTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "sigmoid",
        "hinge",
        "ipo",
        "sigmoid_norm",
        "sigmoid_accumulate2",
        "sigmoid_cosine_wd",
        "sigmoid_truncate96",
        "sigmoid_gpt2",
        "sigmoid_qwen2",
        "sigmoid_qwen3",
        "lora_sigmoid",
        "lora_gpt2_sigmoid"
      })
  void everyMetricOfEveryStepAgreesWithTrl(String name, @TempDir Path work)
      throws IOException, URISyntaxException {
    Path fixtures =
        Path.of(Objects.requireNonNull(TrajectoryTest.class.getResource("/fixtures")).toURI());
    new TrajectoryCheck(fixtures, work).run(name, new ParityTable());
  }
}
