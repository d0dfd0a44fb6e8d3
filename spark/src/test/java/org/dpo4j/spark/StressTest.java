package org.dpo4j.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.run.TrainingRun;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Long runs on two executors of which some are killed at random times: {@code mvn -Pstress -pl
 * spark -am test}. The system properties {@code stress.model} and {@code stress.pairs} choose the
 * model and the number of pairs that are scored.
 */
@Tag("stress")
@Timeout(value = 20, unit = TimeUnit.MINUTES)
class StressTest {

  private static final int KILLS = 4;
  private static final int BATCH = 64;

  private static SparkSession spark;

  private final Path folder;

  StressTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeAll
  static void start() throws IOException {
    Files.createDirectories(Path.of(System.getenv("SPARK_HOME")));
    spark =
        SparkFixture.session(
            "local-cluster[2,1,4096]",
            Map.of(
                "spark.stage.maxConsecutiveAttempts",
                2 * KILLS,
                "spark.executor.memory",
                "2048m",
                "spark.deploy.maxExecutorRetries",
                -1));
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void aRunHasTheLossesOfOneMachineThoughExecutorsAreKilled(long seed) throws Exception {
    Path one = folder.resolve("one");
    Path two = folder.resolve("two");
    boolean lora = seed % 2 == 0;
    TrainingRun.run(
        TrainingConfig.of(options(one, 16, lora)),
        SparkFixture.output(new ByteArrayOutputStream()));

    long began = System.nanoTime();
    List<String> kills;
    TunedModel tuned;
    try (ExecutorKiller killer = new ExecutorKiller(seed, KILLS, 0, 25, two)) {
      tuned = SparkTuning.train(spark, 2, options(two, 8, lora));
      kills = killer.end();
    }

    System.out.printf(
        "seed %d%s: %d s; killed %s%n",
        seed,
        lora ? " (LoRA)" : "",
        TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - began),
        kills);
    assertThat(tuned.steps()).isEqualTo(tuned.maxSteps());
    SparkFixture.requireSameLosses(two, one);
    assertThat(SparkFixture.executors()).hasSize(2);
    assertThat(kills).hasSize(KILLS);
  }

  private static Map<String, Object> options(Path out, int batch, boolean lora) {
    Map<String, Object> options =
        SparkFixture.training(
            out, batch, Map.of("data_file", SparkFixture.PAIRS, "max_steps", 300, "save_steps", 3));
    if (lora) {
      options.put("use_peft", true);
    }
    return options;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void scoresAreThoseOfOneMachine(boolean killed) throws Exception {
    int pairs = Integer.getInteger("stress.pairs", 10_000);
    String model = System.getProperty("stress.model", SparkFixture.MODEL.toString());
    Map<String, Object> options = Map.of("model", model, "ref_model", model);
    Path data = folder.resolve("pairs.jsonl");
    Files.write(data, numbered(pairs));
    long began = System.nanoTime();
    List<Map<String, Object>> expected = SparkFixture.scoredByOneMachine(data, folder, options);
    long middle = System.nanoTime();
    Dataset<Row> rows = SparkFixture.rows(spark, data, folder, wholeBatches(pairs));

    List<Row> scored;
    List<String> kills;
    try (ExecutorKiller killer =
        new ExecutorKiller(1, killed ? 1 : 0, 6, 9, folder.resolve("none"))) {
      scored = SparkScoring.score(rows, options).collectAsList();
      kills = killer.end();
    }

    System.out.printf(
        "%d pairs of %s: one thread %d s, two executors %d s; killed %s%n",
        pairs,
        Path.of(model).getFileName(),
        TimeUnit.NANOSECONDS.toSeconds(middle - began),
        TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - middle),
        kills);
    assertThat(kills).hasSize(killed ? 1 : 0);
    SparkFixture.requireSameScores(scored, expected);
  }

  /** A quarter of the pairs; a multiple of the batch size, so that batches hold the same rows. */
  private static int wholeBatches(int pairs) {
    return (pairs / 4 / BATCH + 1) * BATCH;
  }

  /** The example pairs again and again, each time with another number in the prompt. */
  private static List<String> numbered(int count) throws IOException {
    List<String> lines = Files.readAllLines(SparkFixture.PAIRS);
    List<String> numbered = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String line = lines.get(i % lines.size());
      numbered.add(line.replaceFirst("\"content\": *\"", "$0" + i + ". "));
    }
    return numbered;
  }
}
