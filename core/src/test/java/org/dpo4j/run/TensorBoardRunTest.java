package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.suspending;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.Cancellation;
import org.dpo4j.EndReason;
import org.dpo4j.EventFile;
import org.dpo4j.EventFile.Point;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: a run that TensorBoard shows only when it is over, with points that it does not have, or
 * with gaps or doubled points where it was continued.
 */
class TensorBoardRunTest {

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  TensorBoardRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void everyEntryIsInTheFileAtOnceAndAtTheEndItHasTheWholeLog() throws IOException {
    List<Integer> seen = new ArrayList<>();
    TrainingListener looking =
        new TrainingListener() {
          @Override
          public void onReport(StepReport report, TrainingControl control) {
            assertThat(points("run"))
                .filteredOn(point -> point.tag().equals("train/loss"))
                .hasSize(report.step())
                .last()
                .isEqualTo(new Point("train/loss", report.step(), (float) report.metrics().loss()));
            seen.add(report.step());
          }
        };
    train("run", Map.of("eval_split", 5, "eval_strategy", "steps", "log_format", "json"), looking);

    assertThat(seen).containsExactly(1, 2, 3, 4, 5, 6);
    assertThat(points("run"))
        .containsExactlyInAnyOrderElementsOf(EventFile.logged(folder.resolve("run")))
        .hasSizeGreaterThan(100);
    assertThat(points("run").stream().map(point -> point.tag() + " at " + point.step()))
        .doesNotHaveDuplicates();
    assertThat(EventFile.read(file("run")).texts().get("args/text_summary"))
        .contains("    report_to:\n    - tensorboard\n");
    assertThat(text(out).lines()).allMatch(line -> line.startsWith("{") && line.endsWith("}"));
  }

  /** The first run logs two steps after the checkpoint before it ends. */
  @Test
  void aContinuedRunHasEachStepOnceAndNoneOfThoseThatItComputesAgain() throws IOException {
    Map<String, Object> options = Map.of("eval_split", 5, "eval_strategy", "steps");
    train("broken", with(options, "save_steps", 3), new TrainingListener() {});
    Path first = file("broken");
    assertThat(steps("broken")).containsExactly(1L, 2L, 3L, 4L, 5L, 6L);
    Path others = folder.resolve("broken/runs/events.out.tfevents.9.host");
    Files.writeString(others, "");
    Files.move(folder.resolve("broken/checkpoint-6"), folder.resolve("checkpoint-6"));

    Cancellation cancellation = new Cancellation();
    Map<String, Object> continued = with(options, "resume_from_checkpoint", true);
    TrainingResult result = run("broken", continued, cancellation, suspending(cancellation, 4));
    assertThat(result.endReason()).isEqualTo(EndReason.SUSPENDED);
    assertThat(first).doesNotExist();
    assertThat(others).exists();
    Files.delete(others);
    assertThat(steps("broken")).containsExactly(1L, 2L, 3L, 4L);

    train("broken", continued, new TrainingListener() {});
    assertThat(points("broken"))
        .containsExactlyInAnyOrderElementsOf(EventFile.logged(folder.resolve("broken")));
    assertThat(steps("broken")).containsExactly(1L, 2L, 3L, 4L, 5L, 6L);
  }

  @Test
  void aFileInThePlaceOfTheFolderIsNamedAndTheRunGoesOn() throws IOException {
    Map<String, Object> options = Map.of("save_steps", 3, "report_to", "none");
    train("run", options, new TrainingListener() {});
    Files.move(folder.resolve("run/checkpoint-6"), folder.resolve("checkpoint-6"));
    Path file = Files.writeString(folder.resolve("run/runs"), "mine");

    Files.delete(folder.resolve("run/model.safetensors"));
    train("run", Map.of("resume_from_checkpoint", true), new TrainingListener() {});
    assertThat(text(err))
        .contains(
            "warning: [%s] must be a folder, for the event files of report_to tensorboard, but is a file; the run goes on without event files"
                .formatted(file));
    assertThat(folder.resolve("run/model.safetensors")).exists();
    assertThat(file).hasContent("mine");
  }

  @Test
  void anOverwrittenRunIsNoLongerShown() throws IOException {
    train("run", Map.of(), new TrainingListener() {});
    train("run", Map.of("overwrite_output_dir", true, "max_steps", 2), new TrainingListener() {});
    assertThat(points("run"))
        .containsExactlyInAnyOrderElementsOf(EventFile.logged(folder.resolve("run")));
    train(
        "run",
        Map.of("overwrite_output_dir", true, "report_to", "none"),
        new TrainingListener() {});
    assertThat(folder.resolve("run/runs")).doesNotExist();
  }

  private static Map<String, Object> with(Map<String, Object> options, String name, Object value) {
    Map<String, Object> all = new LinkedHashMap<>(options);
    all.put(name, value);
    return all;
  }

  private Path file(String run) throws IOException {
    return EventFile.only(folder.resolve(run).resolve("runs"));
  }

  private List<Point> points(String run) {
    try {
      return EventFile.read(file(run)).points();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private List<Long> steps(String run) {
    return points(run).stream()
        .filter(point -> point.tag().equals("train/loss"))
        .map(Point::step)
        .toList();
  }

  private void train(String name, Map<String, Object> options, TrainingListener listener) {
    TrainingResult result = run(name, options, new Cancellation(), listener);
    assertThat(result.endReason()).isEqualTo(EndReason.COMPLETED);
  }

  private TrainingResult run(
      String name,
      Map<String, Object> options,
      Cancellation cancellation,
      TrainingListener listener) {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve(name));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("learning_rate", 1e-3);
    all.put("max_steps", 6);
    all.put("logging_steps", 1);
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 128);
    all.put("report_to", "tensorboard");
    all.putAll(options);
    return TrainingRun.run(
        TrainingConfig.of(all),
        ProgramInputs.NONE,
        output(out, err),
        cancellation,
        List.of(listener));
  }
}
