package org.dpo4j.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
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
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

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
        TrainingConfig.of(options(one, 4, Map.of("data_file", SparkFixture.PAIRS))),
        SparkFixture.output(new ByteArrayOutputStream()));
    TunedModel tuned =
        SparkTuning.train(
            spark,
            spark.read().json(SparkFixture.PAIRS.toString()).coalesce(1),
            2,
            options(two, 2, Map.of()));
    assertThat(tuned.steps()).isEqualTo(6);
    assertThat(Path.of(tuned.folder())).isEqualTo(two);
    assertThat(two.resolve("model.safetensors")).isRegularFile();
    requireSameLosses(two, one);
    assertThat(folder.resolve("two.pairs")).doesNotExist();
  }

  @Test
  void aKilledExecutorIsReplacedAndTheRunContinues() throws Exception {
    Path one = folder.resolve("one");
    Path two = folder.resolve("two");
    Map<String, Object> more =
        Map.of("data_file", SparkFixture.PAIRS, "save_steps", 1, "max_steps", 8);
    TrainingRun.run(
        TrainingConfig.of(options(one, 4, more)), SparkFixture.output(new ByteArrayOutputStream()));
    CompletableFuture<TunedModel> job =
        CompletableFuture.supplyAsync(() -> SparkTuning.train(spark, 2, options(two, 2, more)));
    while (!job.isDone() && !Files.isDirectory(two.resolve("checkpoint-2"))) {
      TimeUnit.MILLISECONDS.sleep(20);
    }
    List<ProcessHandle> executors =
        ProcessHandle.current()
            .descendants()
            .filter(process -> process.info().command().orElse("").endsWith("java"))
            .toList();
    assertThat(executors).hasSize(2);
    assertThat(job).isNotDone();
    executors.get(0).destroyForcibly();
    assertThat(job.get().steps()).isEqualTo(8);
    requireSameLosses(two, one);
  }

  /** A repeated attempt must not continue a run that is not its own. */
  @Test
  void aFolderWithAnotherRunIsRefusedInEveryAttempt() throws IOException {
    Path out = Files.createDirectories(folder.resolve("out"));
    Files.writeString(out.resolve("notes.txt"), "mine");
    assertThatThrownBy(
            () ->
                SparkTuning.train(
                    spark, 2, options(out, 2, Map.of("data_file", SparkFixture.PAIRS))))
        .hasMessageContaining("output_dir must be new or empty");
    assertThat(out).isDirectoryContaining("glob:**/notes.txt");
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactly(out);
    }
  }

  @Test
  void ranksAndRowsAreChecked() {
    Map<String, Object> options = options(folder.resolve("out"), 1, Map.of());
    assertThatThrownBy(
            () ->
                SparkTuning.train(
                    spark, 0, options(folder.resolve("out"), 1, Map.of("data_file", "x"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("ranks must be at least 1 but was 0");
    assertThatThrownBy(() -> SparkTuning.train(spark, 2, options))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("data_file");
  }

  private static Map<String, Object> options(Path out, int batch, Map<String, ?> more) {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("model", SparkFixture.MODEL.toString());
    options.put("output_dir", out.toString());
    options.put("per_device_train_batch_size", batch);
    options.put("max_steps", 6);
    options.put("logging_steps", 1);
    options.put("learning_rate", 1e-4);
    options.put("threads", 1);
    options.put("sample_prompts", 0);
    options.put("reference_cache", "off");
    options.put("save_strategy", "steps");
    options.put("ddp_timeout", 60);
    more.forEach(
        (name, value) -> options.put(name, value instanceof Path p ? p.toString() : value));
    return options;
  }

  private static void requireSameLosses(Path found, Path expected) throws IOException {
    List<Double> losses = losses(found);
    List<Double> others = losses(expected);
    assertThat(losses).hasSameSizeAs(others);
    for (int i = 0; i < losses.size(); i++) {
      assertThat(losses.get(i)).as("step %d", i + 1).isCloseTo(others.get(i), within(1e-5));
    }
  }

  private static List<Double> losses(Path out) throws IOException {
    List<Double> losses = new ArrayList<>();
    for (JsonNode entry :
        JsonMapper.shared()
            .readTree(Files.readString(out.resolve("trainer_state.json")))
            .get("log_history")) {
      if (entry.has("loss")) {
        losses.add(entry.get("loss").asDouble());
      }
    }
    return losses;
  }
}
