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
import java.util.LinkedHashMap;
import java.util.Map;
import org.dpo4j.EndReason;
import org.dpo4j.EvaluationReport;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes: a run that goes on although a diagnosis that was to stop it has appeared, one that is
 * stopped although it is healthy, and a guard that looks on because it can never act.
 */
class GuardRunTest {
  private static final String ALL = "no_gradient,unstable,over_optimised,displaced,narrowed";

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  GuardRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aHealthyRunIsNotStopped() {
    TrainingResult result = train("run", Map.of("guard", ALL));
    assertThat(result.endReason()).isEqualTo(EndReason.COMPLETED);
    assertThat(text(err)).doesNotContain("guard");
  }

  @Test
  void aRunWithFarTooHighARateIsStoppedAndSaysSo() throws IOException {
    TrainingResult result =
        train("run", Map.of("guard", "unstable", "learning_rate", 0.1, "beta", 1, "max_steps", 24));
    assertThat(result.endReason()).isEqualTo(EndReason.STOPPED_BY_GUARD);
    assertThat(result.steps()).isBetween(8, 23);
    assertThat(text(out)).contains(", stopped by a diagnosis\n");
    assertThat(text(err))
        .containsOnlyOnce("the run is unstable: ")
        .contains(
            "warning: guard unstable stopped the run after step %d, and the weights as they were then are saved: the run is unstable: "
                .formatted(result.steps()));
    assertThat(Files.readString(folder.resolve("run/README.md"))).contains("guard unstable");
    assertThat(folder.resolve("run/model.safetensors")).exists();
  }

  /** The diagnosis appears at the evaluation, and the run goes back to the best one. */
  @Test
  void theBestWeightsAreSavedAndAContinuedRunStopsAtTheSameStep() {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("guard", "displaced");
    options.put("learning_rate", 0.02);
    options.put("max_steps", 40);
    options.put("save_strategy", "steps");
    options.put("save_steps", 1);
    options.put("save_total_limit", 0);
    options.put("load_best_model_at_end", true);
    options.put("metric_for_best_model", "logps/chosen");
    options.put("greater_is_better", true);
    TrainingResult result = train("run", options);
    assertThat(result.endReason()).isEqualTo(EndReason.STOPPED_BY_GUARD);
    EvaluationReport last = result.evaluations().get(result.evaluations().size() - 1);
    assertThat(last.step()).isPositive().isLessThan(result.steps());
    assertThat(text(out)).contains("the weights of checkpoint-" + last.step() + " are saved");
    assertThat(text(err))
        .contains(
            "guard displaced stopped the run after step %d, and the weights of step %d, the best, are saved: the chosen answers were displaced"
                .formatted(result.steps(), last.step()));

    // From the checkpoint after which it stopped, and from one before.
    for (int step : new int[] {result.steps(), last.step()}) {
      options.put("resume_from_checkpoint", folder.resolve("run/checkpoint-" + step));
      TrainingResult again = train("run", options);
      assertThat(again.endReason()).as("from %d", step).isEqualTo(EndReason.STOPPED_BY_GUARD);
      assertThat(again.steps()).as("from %d", step).isEqualTo(result.steps());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "over_optimised|sigmoid|guard over_optimised needs evaluations of held-out rows during training",
        "unstable|kto|guard unstable is diagnosed of pairs alone but the loss learns from examples",
        "not_at_reference|orpo|guard not_at_reference needs a run that starts at its reference",
        "wobbly|sigmoid|each one of no_gradient, not_at_reference, unstable, over_optimised, saturated, displaced, narrowed but was wobbly",
        "hardly_moved|sigmoid|each one of no_gradient, not_at_reference, unstable, over_optimised, saturated, displaced, narrowed but was hardly_moved"
      })
  void aGuardThatCanNeverActIsRefused(String guard, String loss, String message) {
    assertThatThrownBy(
            () -> config("run", Map.of("guard", guard, "loss_type", loss, "eval_strategy", "no")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(message);
  }

  @Test
  void tooFewLogLinesAreWarnedOf() {
    train("run", Map.of("guard", "unstable,displaced", "max_steps", 8));
    assertThat(text(err))
        .contains(
            "guard unstable cannot stop this run: it needs 8 log lines before the last step, and there are 7; lower logging_steps")
        .doesNotContain("guard displaced");
  }

  private TrainingResult train(String name, Map<String, Object> options) {
    out.reset();
    err.reset();
    return TrainingRun.run(config(name, options), output(out, err));
  }

  private TrainingConfig config(String name, Map<String, Object> options) {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve(name));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("learning_rate", 1e-3);
    all.put("per_device_train_batch_size", 2);
    all.put("max_steps", 12);
    all.put("logging_steps", 1);
    all.put("eval_split", 5);
    all.put("eval_strategy", "steps");
    all.put("save_strategy", "no");
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 128);
    all.putAll(options);
    return TrainingConfig.of(all);
  }
}
