package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.dpo4j.EvaluationReport;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Closes: evaluation sets whose numbers mix, or hide one another. */
class EvaluationSetsTest {
  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  EvaluationSetsTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** Two disjoint parts of the pairs; training reads the others. */
  @BeforeEach
  void parts() throws IOException {
    List<String> rows = Files.readAllLines(fixture("pairs32.jsonl"));
    Files.write(folder.resolve("first.jsonl"), rows.subList(0, 8));
    Files.write(folder.resolve("second.jsonl"), rows.subList(8, 12));
    Files.write(folder.resolve("train.jsonl"), rows.subList(12, rows.size()));
  }

  @Test
  void eachSetHasTheMetricsOfARunWithItAlone() throws IOException {
    TrainingResult both = train("both", named(), Map.of());
    assertThat(both.evaluations())
        .extracting(EvaluationReport::step)
        .containsExactly(0, 0, 2, 2, 4, 4);
    assertThat(both.evaluations())
        .extracting(EvaluationReport::dataset)
        .containsExactly("first", "second", "first", "second", "first", "second");
    for (String set : List.of("first", "second")) {
      List<TrainingMetrics> alone =
          metrics(train("alone-" + set, path(set), Map.of()).evaluations());
      assertThat(metrics(both.evaluations(set))).isEqualTo(alone);
    }
    assertThat(both.finalEvaluation()).contains(both.evaluations().get(4));
    assertThat(folder.resolve("both/model.safetensors"))
        .hasBinaryContent(Files.readAllBytes(folder.resolve("alone-first/model.safetensors")));
  }

  @Test
  void theNamesAreInEveryOutput() throws IOException {
    train("tuned", named(), Map.of());
    assertThat(text(out))
        .containsPattern("\neval first +0/4 +0\\.69")
        .containsPattern("\neval second +4/4 +")
        .containsPattern("\ntrain +2/4 +")
        .contains("held-out evaluation first: ", "held-out evaluation second: ")
        .contains("held-out pairs of first: loss ", "held-out pairs of second: loss ")
        .contains("change of the log-probability of held-out pairs of first: ");
    List<String> widths =
        text(out).lines().filter(line -> line.matches("(eval|train) .*\\d/4 .*")).toList();
    assertThat(widths)
        .extracting(line -> line.indexOf("/4"))
        .containsOnly(widths.get(0).indexOf("/4"));
    JsonNode log = json("trainer_state.json").get("log_history");
    String keys =
        StreamSupport.stream(log.spliterator(), false)
            .map(entry -> String.join(",", entry.propertyNames()))
            .collect(Collectors.joining("\n"));
    assertThat(keys)
        .contains("eval_first_loss", "eval_second_rewards/margins", "eval_second_runtime")
        .doesNotContain("eval_loss", "eval_rewards");
    JsonNode results = json("eval_results.json");
    assertThat(results.get("eval_second_samples").intValue()).isEqualTo(4);
    assertThat(results.get("eval_first_loss").isNumber()).isTrue();
    assertThat(Files.readString(folder.resolve("tuned/README.md")))
        .contains("held-out pairs of first, before training and after step 4.")
        .contains("| eval_second_rewards/margins | ");
    assertThat(Files.readString(folder.resolve("tuned/curves.svg")))
        .contains("eval first", "chosen eval second");
  }

  @Test
  void theBestModelIsThatOfTheNamedMetric() throws IOException {
    train(
        "tuned",
        named(),
        Map.of(
            "save_strategy",
            "best",
            "load_best_model_at_end",
            true,
            "metric_for_best_model",
            "eval_second_logps/chosen",
            "greater_is_better",
            false));
    JsonNode state = json("trainer_state.json");
    double best = state.get("best_metric").doubleValue();
    double least = Double.POSITIVE_INFINITY;
    for (JsonNode entry : state.get("log_history")) {
      if (entry.has("eval_second_logps/chosen") && entry.get("step").intValue() > 0) {
        least = Math.min(least, entry.get("eval_second_logps/chosen").doubleValue());
      }
    }
    assertThat(best).isEqualTo(least);
  }

  @Test
  void aRunContinuesWithItsSets() throws IOException {
    TrainingResult whole = train("whole", named(), Map.of("save_steps", 2));
    Path checkpoint = folder.resolve("whole/checkpoint-2");
    TrainingResult rest =
        train("rest", named(), Map.of("resume_from_checkpoint", checkpoint.toString()));
    assertThat(metrics(rest.evaluations())).isEqualTo(metrics(whole.evaluations()));
  }

  @Test
  void aMissingFileOfASetIsNamed() {
    assertThatThrownBy(() -> train("tuned", "first=" + folder.resolve("nowhere.jsonl"), Map.of()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("eval_file")
        .hasMessageContaining("nowhere.jsonl")
        .hasMessageNotContaining("first=");
  }

  private static List<TrainingMetrics> metrics(List<EvaluationReport> reports) {
    return reports.stream().map(EvaluationReport::metrics).toList();
  }

  private String path(String set) {
    return folder.resolve(set + ".jsonl").toString();
  }

  private String named() {
    return "first=%s,second=%s".formatted(path("first"), path("second"));
  }

  private JsonNode json(String file) throws IOException {
    return JsonMapper.shared().readTree(Files.readString(folder.resolve("tuned").resolve(file)));
  }

  private TrainingResult train(String target, String evalFile, Map<String, Object> more) {
    Map<String, Object> options = new HashMap<>();
    options.put("model", fixture("models/llama"));
    options.put("data_file", folder.resolve("train.jsonl"));
    options.put("eval_file", evalFile);
    options.put("output_dir", folder.resolve(target));
    options.put("per_device_train_batch_size", 2);
    options.put("max_steps", 4);
    options.put("logging_steps", 2);
    options.put("eval_strategy", "steps");
    options.put("learning_rate", 1e-4);
    options.put("max_length", 0);
    options.put("threads", 2);
    options.putAll(more);
    return TrainingRun.run(TrainingConfig.of(options), output(out));
  }
}
