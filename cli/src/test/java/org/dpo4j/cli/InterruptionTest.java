package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes the gap of a stopped run that ends in silence, with a stack trace, with exit code 0, or
 * with a sentence from which nobody learns what was saved and how to go on.
 */
@DisabledOnOs(OS.WINDOWS)
class InterruptionTest {

  private static final Path EXAMPLES = Path.of("..", "examples");

  /** Each step is logged, and no reference is computed. */
  private static final String STEPS = "--loss_type=simpo --logging_steps=1 ";

  private final Path folder;
  private final Path out;

  InterruptionTest(@TempDir Path folder) {
    this.folder = folder;
    this.out = folder.resolve("out");
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void aStoppedTrainingFinishesItsStepAndSavesIt(String signal, int code)
      throws IOException, InterruptedException {
    Process training = train(EXAMPLES.resolve("pairs.jsonl"), STEPS + "--max_steps=100000");
    try {
      await(training, () -> log().contains("\ntrain "));
      send(signal, training);
      assertThat(code(training)).as(log()).isEqualTo(code);
    } finally {
      training.destroyForcibly();
    }
    assertThat(log())
        .contains("stopping after this step")
        .contains("saved as %s/checkpoint-".formatted(out))
        .contains("to continue, repeat the command with --resume_from_checkpoint true");
    assertThat(names(out))
        .hasSize(4)
        .contains("ledger.jsonl", "metrics.jsonl", "samples.jsonl")
        .anyMatch(InterruptionTest::isCheckpoint);
  }

  @Test
  void aTrainingThatSavesNoCheckpointsLeavesNothing() throws IOException, InterruptedException {
    Process training =
        train(EXAMPLES.resolve("pairs.jsonl"), STEPS + "--max_steps=100000 --save_strategy=no");
    try {
      await(training, () -> log().contains("\ntrain "));
      send("INT", training);
      assertThat(code(training)).as(log()).isEqualTo(130);
    } finally {
      training.destroyForcibly();
    }
    assertThat(log()).contains("no checkpoint was saved, since save_strategy is no");
    assertThat(out).doesNotExist();
  }

  @Test
  void aTrainingThatIsStoppedBeforeItsFirstStepLeavesTheFolderThatItWasToReplace()
      throws IOException, InterruptedException {
    Files.createDirectory(out);
    Files.writeString(out.resolve("dpo4j.yaml"), "of an earlier run");
    Process training = train(manyPairs(), "--overwrite_output_dir --reference_cache=off");
    try {
      await(training, () -> log().contains("model: ")); // the reference takes long
      send("INT", training);
      assertThat(code(training)).as(log()).isEqualTo(130);
    } finally {
      training.destroyForcibly();
    }
    assertThat(log()).contains("no step was done, interrupted: nothing was saved in " + out);
    assertThat(names(out)).containsExactly("dpo4j.yaml");
  }

  @Test
  void theSecondSignalEndsAStepThatTakesLongAndNoOtherRunCanUseTheFolderUntilThen()
      throws IOException, InterruptedException {
    Files.createDirectory(out);
    Files.writeString(out.resolve("dpo4j.yaml"), "of an earlier run");
    String options =
        STEPS
            + "--overwrite_output_dir --use_peft --per_device_train_batch_size=1"
            + " --gradient_accumulation_steps=10000";
    Path pairs = manyPairs();
    Process training = train(pairs, options);
    try {
      await(training, () -> log().contains("model: "));
      Process second = start("second", training(pairs, options));
      assertThat(code(second)).isEqualTo(2);
      assertThat(Files.readString(folder.resolve("second")))
          .contains("is being written by process " + training.pid())
          .contains("wait for it or choose another folder");
      send("INT", training);
      await(training, () -> log().contains("stopping after this step"));
      send("INT", training);
      assertThat(code(training)).as(log()).isEqualTo(130);
    } finally {
      training.destroyForcibly();
    }
    assertThat(log().lines())
        .last()
        .isEqualTo("interrupted: no adapter was saved (%s is as it was)".formatted(out));
    assertThat(names(out)).containsExactly("dpo4j.yaml");
  }

  @Test
  void aStoppedScoringSaysThatTheFileWasNotWritten() throws IOException, InterruptedException {
    Path scores = folder.resolve("scores.jsonl");
    Process scoring =
        start(
            "log",
            List.of(
                "score",
                "--model=" + EXAMPLES.resolve("tiny-chat"),
                "--data_file=" + manyPairs(),
                "--output=" + scores));
    try {
      await(scoring, () -> names(folder).stream().anyMatch(name -> name.contains("pending")));
      TimeUnit.MILLISECONDS.sleep(200); // the hook follows the file
      send("INT", scoring);
      assertThat(code(scoring)).as(log()).isEqualTo(130);
    } finally {
      scoring.destroyForcibly();
    }
    assertThat(log().lines()).last().isEqualTo("interrupted: %s was not written".formatted(scores));
    assertThat(names(folder)).noneMatch(name -> name.contains("scores"));
  }

  private Path manyPairs() throws IOException {
    return Files.writeString(
        folder.resolve("pairs.jsonl"),
        Files.readString(EXAMPLES.resolve("pairs.jsonl")).repeat(40));
  }

  private Process train(Path pairs, String options) throws IOException {
    return start("log", training(pairs, options));
  }

  private List<String> training(Path pairs, String options) {
    List<String> words =
        new ArrayList<>(
            List.of(
                "train",
                "--model=" + EXAMPLES.resolve("tiny-chat"),
                "--data_file=" + pairs,
                "--output_dir=" + out,
                "--max_length=128"));
    words.addAll(List.of(options.strip().split(" +")));
    return words;
  }

  private Process start(String log, List<String> words) throws IOException {
    return Subprocess.start(folder.resolve(log), words);
  }

  private void await(Process process, BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
    while (!condition.getAsBoolean()) {
      assertThat(process.isAlive() && System.nanoTime() < deadline).as(log()).isTrue();
      TimeUnit.MILLISECONDS.sleep(50);
    }
  }

  private static void send(String signal, Process process)
      throws IOException, InterruptedException {
    List<String> kill = List.of("kill", "-" + signal, Long.toString(process.pid()));
    assertThat(new ProcessBuilder(kill).start().waitFor()).isZero();
  }

  private static int code(Process process) throws InterruptedException {
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    return process.exitValue();
  }

  private String log() {
    try {
      return Files.readString(folder.resolve("log"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean isCheckpoint(String name) {
    return name.startsWith("checkpoint-");
  }

  private static List<String> names(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> String.valueOf(file.getFileName())).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
