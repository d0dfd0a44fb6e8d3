package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
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
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.config.TrainingOptions;
import org.dpo4j.options.YamlOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: a run that ends in NaN and leaves nothing to look at, and skipped steps that nobody sees.
 *
 * <p>With beta 1e-30 the loss of IPO, (h - 1 / (2 beta))^2, is beyond 32 bits for every pair. With
 * a learning rate of 1e30 the first step is fine and the second cannot be computed.
 */
class NonFiniteRunTest {

  private final Path folder;
  private final ByteArrayOutputStream console = new ByteArrayOutputStream();

  NonFiniteRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private TrainingConfig config(Map<String, Object> more) {
    Map<String, Object> options = new HashMap<>();
    options.put("model", fixture("models/llama"));
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("output_dir", folder.resolve("out"));
    options.put("reference_cache", "off");
    options.put("per_device_train_batch_size", 2);
    options.put("gradient_accumulation_steps", 2);
    options.put("max_length", 128);
    options.put("max_steps", 6);
    options.put("logging_steps", 2);
    options.put("sample_prompts", 0);
    options.putAll(more);
    return TrainingConfig.of(options);
  }

  @Test
  void theReproductionFailsLikeTheRunAndItsPairsCanBeScored() throws IOException {
    Map<String, Object> unusual = new HashMap<>();
    unusual.put("loss_type", "ipo");
    unusual.put("beta", 1e-30);
    unusual.put("seed", 7);
    unusual.put("eval_split", 4); // what follows must not be in a run of four pairs
    unusual.put("eval_strategy", "steps");
    unusual.put("save_steps", 2);
    unusual.put("load_best_model_at_end", true);
    unusual.put("early_stopping_patience", 3);
    unusual.put("warmup_steps", 2);
    List<Throwable> delivered = new ArrayList<>();
    DpoException failure =
        catchThrowableOfType(
            DpoException.class,
            () ->
                TrainingRun.run(
                    config(unusual),
                    output(console),
                    new TrainingListener() {
                      @Override
                      public void onFailure(Throwable thrown) {
                        delivered.add(thrown);
                      }
                    }));
    Path written = folder.resolve("out/nonfinite-step-1");
    assertThat(failure)
        .hasMessageStartingWith("step 1: ")
        .hasMessageEndingWith("To reproduce it, see " + written.resolve("README.md"));
    assertThat(delivered).containsExactly(failure);
    assertThat(folder.resolve("out/model.safetensors")).doesNotExist();
    assertThat(Files.readString(written.resolve("values.json")))
        .contains("\"step\" : 1", "\"seed\" : 7", "\"loss\" : \"Infinity\"");
    assertThat(Files.readString(written.resolve("dpo4j.yaml"))).contains("seed: 7", "beta: ");
    assertThat(Files.readString(written.resolve("README.md")))
        .contains("./dpo4j train --config " + written.resolve("reproduce.yaml"));
    assertThat(Files.readAllLines(written.resolve("pairs.jsonl"))).hasSize(4);

    TrainingConfig again =
        TrainingOptions.resolve(YamlOptions.read(written.resolve("reproduce.yaml")), Map.of())
            .config();
    String first = failure.text();
    DpoException second =
        catchThrowableOfType(DpoException.class, () -> TrainingRun.run(again, output(console)));
    assertThat(second).hasMessageStartingWith(first.substring(0, first.indexOf(", on all")));

    Path scores = folder.resolve("scores.jsonl");
    ScoreRun.run(
        ScoreConfig.OPTIONS.build(
            Map.of(
                "model",
                fixture("models/llama"),
                "data_file",
                written.resolve("pairs.jsonl"),
                "output",
                scores)),
        output(console));
    assertThat(Files.readAllLines(scores)).hasSize(4);
  }

  @Test
  void theRunStopsAtTheLimitAndTheNumberOfSkippedStepsIsWarnedOfAndSaved() throws IOException {
    Map<String, Object> skipping =
        Map.of("learning_rate", 1e30, "on_nan", "skip", "on_nan_limit", 4);
    assertThat(
            catchThrowableOfType(
                DpoException.class, () -> TrainingRun.run(config(skipping), output(console))))
        .hasMessageStartingWith("step 6: ")
        .hasMessageContaining("4 of 4 allowed by on_nan_limit were skipped before");

    Map<String, Object> enough = new HashMap<>(skipping);
    enough.put("output_dir", folder.resolve("enough"));
    enough.put("on_nan_limit", 5);
    TrainingResult result = TrainingRun.run(config(enough), output(console));
    assertThat(result.steps()).isEqualTo(6);
    assertThat(result.skippedSteps()).isEqualTo(5);
    assertThat(result.reports())
        .allSatisfy(report -> assertThat(report.metrics().loss()).isFinite());
    assertThat(result.warnings())
        .filteredOn(warning -> warning.contains(" was skipped: its loss was "))
        .hasSize(5);
    assertThat(text(console)).contains("done: 6 steps (5 skipped) in ");
    Path out = folder.resolve("enough");
    assertThat(Files.readString(out.resolve("train_results.json")))
        .contains("\"skipped_steps\": 5");
    assertThat(Files.readString(out.resolve("README.md")))
        .contains("6 steps (5 skipped) of 4 pairs");
  }

  @Test
  void aRunInWhichNoStepCanBeTakenFails() {
    assertThat(
            catchThrowableOfType(
                DpoException.class,
                () ->
                    TrainingRun.run(
                        config(Map.of("loss_type", "ipo", "beta", 1e-30, "on_nan", "skip")),
                        output(console))))
        .hasMessageStartingWith("step 6: ")
        .hasMessageContaining("No step of the run could be taken.");
    assertThat(folder.resolve("out/model.safetensors")).doesNotExist();
  }
}
