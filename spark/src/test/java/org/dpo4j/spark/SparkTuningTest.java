package org.dpo4j.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.run.TrainingRun;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Training by two executors, each a process of its own. */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class SparkTuningTest {

  private static SparkSession spark;

  private final Path folder;

  SparkTuningTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeAll
  static void start() throws IOException {
    Files.createDirectories(Path.of(System.getenv("SPARK_HOME")));
    spark = SparkFixture.session(SparkFixture.CLUSTER);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @Test
  void theLossesAreThoseOfOneMachine() throws IOException {
    Path one = folder.resolve("one");
    Path two = folder.resolve("two");
    TrainingRun.run(
        TrainingConfig.of(SparkFixture.training(one, 4, Map.of("data_file", SparkFixture.PAIRS))),
        SparkFixture.output(new ByteArrayOutputStream()));
    TunedModel tuned =
        SparkTuning.train(
            spark,
            spark.read().json(SparkFixture.PAIRS.toString()).coalesce(1),
            2,
            SparkFixture.training(two, 2, Map.of()));
    assertThat(tuned.steps()).isEqualTo(6);
    assertThat(Path.of(tuned.folder())).isEqualTo(two);
    assertThat(two.resolve("model.safetensors")).isRegularFile();
    SparkFixture.requireSameLosses(two, one);
    assertThat(folder.resolve("two.pairs")).doesNotExist();
  }

  @Test
  void aKilledExecutorIsReplacedAndTheRunContinues() throws Exception {
    Path one = folder.resolve("one");
    Path two = folder.resolve("two");
    Map<String, Object> more =
        Map.of("data_file", SparkFixture.PAIRS, "save_steps", 1, "max_steps", 8);
    TrainingRun.run(
        TrainingConfig.of(SparkFixture.training(one, 4, more)),
        SparkFixture.output(new ByteArrayOutputStream()));
    CompletableFuture<TunedModel> job =
        CompletableFuture.supplyAsync(
            () -> SparkTuning.train(spark, 2, SparkFixture.training(two, 2, more)));
    while (!job.isDone() && !Files.isDirectory(two.resolve("checkpoint-2"))) {
      TimeUnit.MILLISECONDS.sleep(20);
    }
    List<ProcessHandle> executors = SparkFixture.executors();
    assertThat(executors).hasSize(2);
    assertThat(job).isNotDone();
    executors.get(0).destroyForcibly();
    assertThat(job.get().steps()).isEqualTo(8);
    SparkFixture.requireSameLosses(two, one);
  }

  /** A repeated attempt must not continue a run that is not its own. */
  @Test
  void aFolderWithAnotherRunIsRefusedInEveryAttempt() throws IOException {
    Path out = Files.createDirectories(folder.resolve("out"));
    Files.writeString(out.resolve("notes.txt"), "mine");
    assertThatThrownBy(
            () ->
                SparkTuning.train(
                    spark,
                    2,
                    SparkFixture.training(out, 2, Map.of("data_file", SparkFixture.PAIRS))))
        .hasMessageContaining("output_dir must be new or empty");
    assertThat(out).isDirectoryContaining("glob:**/notes.txt");
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactly(out);
    }
  }

  @Test
  void ranksAndRowsAreChecked() {
    Map<String, Object> options = SparkFixture.training(folder.resolve("out"), 1, Map.of());
    assertThatThrownBy(
            () ->
                SparkTuning.train(
                    spark,
                    0,
                    SparkFixture.training(folder.resolve("out"), 1, Map.of("data_file", "x"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("ranks must be at least 1 but was 0");
    assertThatThrownBy(() -> SparkTuning.train(spark, 2, options))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("data_file");
  }
}
