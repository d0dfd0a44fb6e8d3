package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.EvaluationReport;
import org.dpo4j.PairMetrics;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.checkpoint.DamagedCheckpointException;
import org.dpo4j.report.EarlyAccuracy;
import org.dpo4j.train.MetricSums;
import org.dpo4j.train.TrainingSnapshot;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a state that is read otherwise than it was written, and a format without a page. */
class CheckpointStateTest {

  private final Path folder;

  CheckpointStateTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private static CheckpointState state() {
    TrainingMetrics metrics =
        PairMetrics.of(
            0.1 + 0.2, Double.NaN, 1e-300, 1, 0, -1, -2, 3, Double.POSITIVE_INFINITY, 0, 0);
    return new CheckpointState(
        CheckpointState.FORMAT,
        CheckpointState.VERSION,
        "1.2.3",
        new TrainingSnapshot.Numbers(
            -7, 3, 1, 0, 24, 1L << 40, 0.1, MetricSums.NONE, MetricSums.NONE),
        9,
        List.of("a[2, 3]"),
        Map.of("the model", "hash"),
        Map.of("beta", "0.1"),
        2,
        3,
        1.5,
        0.5,
        null,
        List.of(),
        List.of(new EvaluationReport(2, 0.25, "", metrics, 5, 0.01)),
        new EarlyAccuracy.Count(8, 7),
        List.of("a \"quoted\" warning"));
  }

  @Test
  void everyNumberIsReadAsItWasWritten() throws IOException {
    state().write(folder);
    assertThat(CheckpointState.read(folder)).isEqualTo(state());
  }

  @Test
  void aNewerFormatIsRefusedByItsVersion() throws IOException {
    state().write(folder);
    replace("\"version\":2", "\"version\":3");
    assertThatThrownBy(() -> CheckpointState.read(folder))
        .isExactlyInstanceOf(DpoException.class)
        .hasMessageContaining("checkpoint format 3 is newer than this build reads (2)")
        .hasMessageContaining("1.2.3");
  }

  @Test
  void anOlderFormatIsRefusedWithTheVersionThatWroteIt() throws IOException {
    state().write(folder);
    replace("\"version\":2", "\"version\":1");
    assertThatThrownBy(() -> CheckpointState.read(folder))
        .isExactlyInstanceOf(DpoException.class)
        .hasMessageContaining("checkpoint format 1 is older than this build reads (2)")
        .hasMessageContaining("1.2.3");
  }

  @Test
  void anotherFileOrAnUnknownOrMissingOrDoubledFieldIsDamage() throws IOException {
    for (List<String> damage :
        List.of(
            List.of("dpo4j-checkpoint", "other-checkpoint"),
            List.of("\"maxSteps\"", "\"minSteps\""),
            List.of("\"maxSteps\":9,", ""),
            List.of("\"maxSteps\":9", "\"maxSteps\":9,\"maxSteps\":9"),
            List.of("\"maxSteps\":9", "\"maxSteps\":null"))) {
      state().write(folder);
      replace(damage.get(0), damage.get(1));
      assertThatThrownBy(() -> CheckpointState.read(folder))
          .as(damage.toString())
          .isInstanceOf(DamagedCheckpointException.class)
          .hasMessageContaining(CheckpointState.FILE);
    }
  }

  @Test
  void bytesThatAreNoTextAreDamage() throws IOException {
    Files.write(folder.resolve(CheckpointState.FILE), new byte[] {'{', '"', (byte) 0xff, '"'});
    assertThatThrownBy(() -> CheckpointState.read(folder))
        .isInstanceOf(DamagedCheckpointException.class)
        .hasMessageContaining("UTF-8");
  }

  @Test
  void thePageDescribesEveryField() throws IOException {
    String page = Files.readString(Path.of("../docs/reference/checkpoints.md"));
    for (Class<?> type : List.of(CheckpointState.class, TrainingSnapshot.Numbers.class)) {
      for (RecordComponent component : type.getRecordComponents()) {
        assertThat(page).contains("`" + component.getName() + "`");
      }
    }
  }

  private void replace(String what, String by) throws IOException {
    Path file = folder.resolve(CheckpointState.FILE);
    String text = Files.readString(file);
    assertThat(text).contains(what);
    Files.writeString(file, text.replace(what, by));
  }
}
