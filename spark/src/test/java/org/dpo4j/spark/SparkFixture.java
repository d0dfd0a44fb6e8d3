package org.dpo4j.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.ScoreRun;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Sessions of Spark without a network, and what one machine computes. */
final class SparkFixture {

  static final Path MODEL = Path.of("../examples/tiny-chat").toAbsolutePath().normalize();
  static final Path PAIRS = Path.of("../examples/pairs.jsonl").toAbsolutePath().normalize();

  /** Two executors, each a process of its own with one core. */
  static final String CLUSTER = "local-cluster[2,1,2048]";

  private SparkFixture() {}

  static SparkSession session(String master) {
    return session(master, Map.of());
  }

  static SparkSession session(String master, Map<String, Object> settings) {
    return SparkSession.builder()
        .master(master)
        .appName("dpo4j-spark tests")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.warehouse.dir", "target/spark-warehouse")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.executor.memory", "1024m")
        .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
        .config(settings)
        .getOrCreate();
  }

  /** The processes of the executors that run now. */
  static List<ProcessHandle> executors() {
    return ProcessHandle.current()
        .descendants()
        .filter(process -> process.info().command().orElse("").endsWith("java"))
        .toList();
  }

  /** The pairs in their order in partitions of so many rows. */
  static Dataset<Row> pairs(SparkSession spark, Path folder, int rows) throws IOException {
    return rows(spark, PAIRS, folder, rows);
  }

  /** The rows of a file in their order in partitions of so many, which a folder gets. */
  static Dataset<Row> rows(SparkSession spark, Path file, Path folder, int rows)
      throws IOException {
    List<String> lines = Files.readAllLines(file);
    List<Dataset<Row>> parts = new ArrayList<>();
    for (int from = 0; from < lines.size(); from += rows) {
      Path part = folder.resolve("part-%02d-of-%d.jsonl".formatted(from, rows));
      Files.write(part, lines.subList(from, Math.min(from + rows, lines.size())));
      parts.add(spark.read().json(part.toString()));
    }
    Dataset<Row> all = parts.stream().reduce(Dataset::union).orElseThrow();
    assertThat(all.javaRDD().getNumPartitions()).isEqualTo(parts.size());
    return all;
  }

  static RunOutput output(ByteArrayOutputStream bytes) {
    PrintStream stream = new PrintStream(bytes, true, StandardCharsets.UTF_8);
    return new RunOutput(stream, stream, Progress.NONE);
  }

  /** What the command {@code score} writes with one thread. */
  static List<Map<String, Object>> scoredByOneMachine(
      Path data, Path folder, Map<String, ?> options) throws IOException {
    Map<String, Object> all = new LinkedHashMap<>(options);
    Path scores = folder.resolve("scores.jsonl");
    all.put("data_file", data);
    all.put("output", scores);
    all.putIfAbsent("threads", 1);
    ScoreRun.run(ScoreConfig.of(all), output(new ByteArrayOutputStream()));
    return jsonLines(scores);
  }

  @SuppressWarnings("unchecked") // objects
  static List<Map<String, Object>> jsonLines(Path file) throws IOException {
    List<Map<String, Object>> rows = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      rows.add(JsonMapper.shared().readValue(line, Map.class));
    }
    return rows;
  }

  /** Options of a training run that logs each step, without a file of rows. */
  static Map<String, Object> training(Path out, int batch, Map<String, ?> more) {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("model", MODEL.toString());
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

  static void requireSameLosses(Path found, Path expected) throws IOException {
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

  /** The rows have the scores that one machine has written, to the last bit. */
  static void requireSameScores(List<Row> scored, List<Map<String, Object>> expected) {
    assertThat(scored).hasSameSizeAs(expected);
    for (int i = 0; i < expected.size(); i++) {
      for (String column :
          List.of("chosen_logps", "rejected_logps", "chosen_tokens", "rewards/margins", "status")) {
        assertThat(scored.get(i).<Object>getAs(column))
            .as("row %d, %s", i, column)
            .isEqualTo(expected.get(i).get(column));
      }
    }
  }
}
