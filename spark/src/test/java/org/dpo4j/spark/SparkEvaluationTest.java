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
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.run.EvalRun;
import org.dpo4j.run.TrainingRun;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Closes: figures of a Spark job that are not those of one machine. */
class SparkEvaluationTest {

  private static SparkSession spark;

  private final Path folder;

  SparkEvaluationTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeAll
  static void start() {
    spark = SparkFixture.session("local[2]");
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  /** An adapter after some steps, whose reference is the model under it. */
  private Path adapter() {
    Path out = folder.resolve("adapter");
    TrainingRun.run(
        TrainingConfig.of(
            SparkFixture.training(
                out,
                8,
                Map.of("data_file", SparkFixture.PAIRS, "use_peft", true, "learning_rate", 1e-3))),
        SparkFixture.output(new ByteArrayOutputStream()));
    return out;
  }

  private static Map<String, Object> options(Path adapter) {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("model", List.of(SparkFixture.MODEL, adapter));
    options.put("ref_model", SparkFixture.MODEL);
    options.put("slice_by", "source");
    options.put("kl_tokens", 200);
    return options;
  }

  /** The example pairs, every third from another source. */
  private Path pairs() throws IOException {
    List<String> lines = new ArrayList<>();
    for (String line : Files.readAllLines(SparkFixture.PAIRS)) {
      String source = lines.size() % 3 == 0 ? "web" : "book";
      lines.add("{\"source\": \"%s\", ".formatted(source) + line.substring(1));
    }
    return Files.write(folder.resolve("pairs.jsonl"), lines);
  }

  private JsonNode ofOneMachine(Path pairs, Map<String, Object> options) throws IOException {
    Map<String, Object> all = new LinkedHashMap<>(options);
    Path figures = folder.resolve("figures.json");
    all.put("data_file", pairs);
    all.put("output", figures);
    all.put("threads", 1);
    EvalRun.run(EvalConfig.of(all), SparkFixture.output(new ByteArrayOutputStream()));
    return JsonMapper.shared().readTree(Files.readString(figures));
  }

  @Test
  void onePartitionHasTheFiguresOfOneMachine() throws IOException {
    Map<String, Object> options = options(adapter());
    Path pairs = pairs();
    Dataset<Row> rows = spark.read().json(pairs.toString()).coalesce(1);

    JsonNode found = JsonMapper.shared().readTree(SparkEvaluation.evaluate(rows, options));

    assertThat(comparable(found)).isEqualTo(comparable(ofOneMachine(pairs, options)));
    assertThat(found.toString()).contains("\"web\"", "\"book\"");
    assertThat(found.at("/models/1/kl/pairs").asInt()).isPositive();
  }

  /** Without the name of the data and the groups of prompts, which a job does not have. */
  private static JsonNode comparable(JsonNode figures) {
    ObjectNode same = (ObjectNode) figures.deepCopy();
    assertThat(same.remove("data")).isNotNull();
    for (JsonNode model : same.get("models")) {
      ArrayNode slices = (ArrayNode) model.get("slices");
      for (int i = slices.size() - 1; i >= 0; i--) {
        if (slices.get(i).get("by").asString().equals("prompts with")) {
          slices.remove(i);
        }
      }
    }
    return same;
  }

  @Test
  void severalPartitionsHaveThemToRounding() throws IOException {
    Map<String, Object> options = options(adapter());
    options.put("kl_tokens", 100_000); // on all pairs: the sample depends on the partitions
    Path pairs = pairs();
    Dataset<Row> rows = SparkFixture.rows(spark, pairs, folder, 11);

    JsonNode found = JsonMapper.shared().readTree(SparkEvaluation.evaluate(rows, options));

    JsonNode expected = ofOneMachine(pairs, options);
    for (String figure :
        List.of(
            "/models/1/pairs",
            "/models/1/rewards~1margins",
            "/models/1/perplexity~1chosen",
            "/models/1/kl/per_token",
            "/models/1/rewards~1accuracies/value")) {
      assertThat(expected.at(figure).isNumber()).as(figure + " of " + expected).isTrue();
      double known = expected.at(figure).asDouble();
      assertThat(found.at(figure).asDouble())
          .as(figure)
          .isCloseTo(known, within(1e-6 * Math.max(1, Math.abs(known))));
    }
    assertThat(found.at("/models/1/kl/tokens").asLong())
        .isEqualTo(expected.at("/models/1/kl/tokens").asLong());
  }

  @Test
  void whatCannotBeEvaluatedIsRefused() {
    Dataset<Row> pairs = spark.read().json(SparkFixture.PAIRS.toString());
    Map<String, Object> options = Map.of("model", SparkFixture.MODEL);
    Dataset<Row> completions = pairs.drop("rejected").withColumnRenamed("chosen", "completion");
    assertThatThrownBy(() -> SparkEvaluation.evaluate(completions, options))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("rows must hold pairs")
        .hasMessageContaining("completion, prompt");
    assertThatThrownBy(
            () ->
                SparkEvaluation.evaluate(
                    pairs, Map.of("model", SparkFixture.MODEL, "slice_by", "origin")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("slice_by must name columns of the data but origin is none");
    assertThatThrownBy(
            () ->
                SparkEvaluation.evaluate(
                    pairs, Map.of("model", SparkFixture.MODEL, "data_file", "x")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("data_file must not be given");
    assertThatThrownBy(
            () -> SparkEvaluation.evaluate(pairs, Map.of("model", folder.resolve("none"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("model");
    assertThatThrownBy(() -> SparkEvaluation.evaluate(pairs.filter(functions.lit(false)), options))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[dataset] at least one pair must be usable");
  }
}
