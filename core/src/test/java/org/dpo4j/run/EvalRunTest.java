package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: an evaluation whose numbers differ from those of the run that trained the model, that
 * takes another reference than it says, or compares models on different pairs.
 */
class EvalRunTest {

  private static final JsonMapper JSON = JsonMapper.shared();

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  EvalRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void theFiguresAreThoseOfTheRunsLastEvaluation() throws IOException {
    train("full", Map.of("beta", 0.3));
    train("lora", Map.of("use_peft", true, "beta", 0.3));
    for (String name : List.of("full", "lora")) {
      JsonNode trained = JSON.readTree(folder.resolve(name + "/eval_results.json"));
      JsonNode model = eval(Map.of("model", folder.resolve(name))).at("/models/0");
      assertThat(model.path("ref_model").asString()).isEqualTo(fixture("models/llama").toString());
      assertThat(model.path("beta").asDouble()).isEqualTo(0.3);
      assertThat(model.at("/rewards~1accuracies/value").asDouble())
          .isEqualTo(trained.path("eval_rewards/accuracies").asDouble());
      for (String metric : List.of("rewards/chosen", "rewards/rejected", "rewards/margins")) {
        assertThat(model.path(metric).asDouble())
            .isCloseTo(trained.path("eval_" + metric).asDouble(), within(2e-4));
      }
      assertThat(model.at("/calibration/log_loss").asDouble())
          .isCloseTo(trained.path("eval_loss").asDouble(), within(2e-4));
      assertThat(model.at("/kl/per_token").asDouble()).isPositive();
      assertThat(model.at("/kl/pairs").asInt()).isEqualTo(7);
    }
  }

  @Test
  void twoModelsAreComparedPairByPairAndTheSameModelDoesNotDiffer() throws IOException {
    train("first", Map.of());
    train("second", Map.of("learning_rate", 3e-3));
    Path copy = Files.createDirectories(folder.resolve("copy"));
    try (var files = Files.list(folder.resolve("first"))) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, copy.resolve(file.getFileName()));
      }
    }
    JsonNode json =
        eval(Map.of("model", List.of(folder.resolve("first"), folder.resolve("second"), copy)));
    assertThat(json.path("models")).hasSize(3);
    JsonNode other = json.at("/differences/0");
    double gap =
        json.at("/models/1/rewards~1accuracies/value").asDouble()
            - json.at("/models/0/rewards~1accuracies/value").asDouble();
    assertThat(other.at("/difference/value").asDouble()).isCloseTo(gap, within(1e-12));
    assertThat(other.path("metric").asString()).isEqualTo("rewards/accuracies");
    JsonNode same = json.at("/differences/1");
    assertThat(same.path("gained").asInt()).isZero();
    assertThat(same.path("lost").asInt()).isZero();
    assertThat(same.path("real").asBoolean()).isFalse();
    assertThat(text(out).replaceAll("\\s+", " "))
        .contains("right on the same pairs. With 7 pairs, only differences above about 86 points");
  }

  /** As TRL's folders are: no options of the run beside the weights. */
  @Test
  void withoutAReferenceThereAreLogProbabilitiesAloneAndANoteSaysHowToGetRewards()
      throws IOException {
    JsonNode model = eval(Map.of("model", fixture("models/llama"))).at("/models/0");
    assertThat(text(err)).contains("there are no rewards: pass the model that it was trained from");
    assertThat(model.has("ref_model")).isFalse();
    assertThat(model.has("rewards/accuracies")).isFalse();
    assertThat(model.at("/logps~1accuracies/pairs").asInt()).isEqualTo(7);

    model =
        eval(Map.of("model", fixture("models/llama"), "ref_model", fixture("models/llama")))
            .at("/models/0");
    assertThat(model.at("/rewards~1accuracies/value").asDouble()).isZero();
    assertThat(model.at("/kl/per_token").asDouble()).isZero();
    assertThat(model.at("/calibration/log_loss").asDouble()).isCloseTo(Math.log(2), within(1e-9));
  }

  @Test
  void pairsAreDividedByColumns() throws IOException {
    List<String> rows = new ArrayList<>();
    int row = 0;
    for (String line : Files.readAllLines(held())) {
      ObjectNode changed = (ObjectNode) JSON.readTree(line);
      if (row != 3) {
        changed.put("source", row % 2 == 0 ? "even" : "odd");
      }
      rows.add(JSON.writeValueAsString(changed));
      row++;
    }
    Path data = folder.resolve("columns.jsonl");
    Files.write(data, rows);
    JsonNode json =
        eval(
            Map.of(
                "model",
                fixture("models/llama"),
                "data_file",
                data,
                "slice_by",
                List.of("source")));
    Map<String, Integer> sizes = new HashMap<>();
    json.at("/models/0/slices")
        .forEach(
            slice -> {
              if (slice.path("by").asString().equals("source")) {
                sizes.put(slice.path("value").asString(), slice.path("pairs").asInt());
              }
            });
    assertThat(sizes).isEqualTo(Map.of("even", 3, "odd", 3, "none", 1));
    assertThatThrownBy(
            () ->
                eval(
                    Map.of(
                        "model",
                        fixture("models/llama"),
                        "data_file",
                        data,
                        "slice_by",
                        List.of("sourc"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("sourc is in no row; did you mean source?");
  }

  @Test
  void whatCannotBeEvaluatedIsRefused() {
    assertThatThrownBy(
            () -> eval(Map.of("model", List.of(fixture("models/llama"), fixture("models/llama")))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("is there twice; keep one");
    assertThatThrownBy(
            () ->
                eval(
                    Map.of(
                        "model", fixture("models/llama"), "base_model", fixture("models/llama"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("base_model is for adapters but no model is one; leave it out");
    assertThatThrownBy(() -> eval(Map.of("model", fixture("adapters/llama-r8"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("pass the model of the adapter as base_model");
  }

  @Test
  void whereNoPairCanBeUsedTheReasonAndTheCountsAreTold() throws IOException {
    assertThatThrownBy(() -> eval(Map.of("model", fixture("models/llama"), "max_length", 2)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("at least one pair must be usable under " + fixture("models/llama"))
        .hasMessageContaining("0 of 8 pairs kept; ")
        .hasMessageContaining("dropped: prompt alone reaches max_length (first [")
        .hasMessageEndingWith("; raise max_length");

    Path none = folder.resolve("none.jsonl");
    Files.write(none, List.of("{\"a\": 1}", "{\"a\": 2}", "no JSON"));
    assertThatThrownBy(
            () ->
                eval(
                    Map.of(
                        "model", fixture("models/llama"), "data_file", none, "on_bad_row", "skip")))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("0 of 3 pairs kept; ")
        .hasMessageContaining(" bad and skipped: ");

    List<String> rows = new ArrayList<>(Files.readAllLines(held()));
    rows.add(1, "{\"a\": 1}");
    rows.add("no JSON");
    Path mixed = folder.resolve("mixed.jsonl");
    Files.write(mixed, rows);
    JsonNode json =
        eval(
            Map.of(
                "model",
                fixture("models/llama"),
                "data_file",
                mixed,
                "on_bad_row",
                "skip",
                "slice_by",
                "a"));
    assertThat(json.at("/models/0/pairs").asInt()).isEqualTo(7);
    assertThat(text(out)).contains("7 of 10 pairs kept").contains("bad and skipped");
  }

  @Test
  void anAdapterOfPeftIsComparedWithTheModelUnderIt() throws IOException {
    JsonNode model =
        eval(Map.of("model", fixture("adapters/llama-r8"), "base_model", fixture("models/llama")))
            .at("/models/0");
    assertThat(model.path("ref_model").asString()).isEqualTo(fixture("models/llama").toString());
    assertThat(model.path("rewards/chosen").asDouble()).isNotZero();
  }

  private JsonNode eval(Map<String, Object> options) throws IOException {
    Path file = folder.resolve("eval.json");
    Map<String, Object> all = new HashMap<>();
    all.put("data_file", held());
    all.put("output", file);
    all.put("threads", 1);
    all.put("max_length", 128);
    all.putAll(options);
    EvalRun.run(EvalConfig.of(all), output(out, err));
    return JSON.readTree(file);
  }

  /** The prompt of one of them is longer than {@code max_length}. */
  private Path held() throws IOException {
    Path file = folder.resolve("held.jsonl");
    Files.write(file, Files.readAllLines(fixture("pairs32.jsonl")).subList(0, 8));
    return file;
  }

  private void train(String name, Map<String, Object> options) throws IOException {
    Map<String, Object> all = new HashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("eval_file", held());
    all.put("output_dir", folder.resolve(name));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("save_dtype", "float32");
    all.put("learning_rate", 1e-3);
    all.put("max_steps", 4);
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 128);
    all.putAll(options);
    TrainingRun.run(TrainingConfig.of(all), output(new ByteArrayOutputStream()));
  }
}
