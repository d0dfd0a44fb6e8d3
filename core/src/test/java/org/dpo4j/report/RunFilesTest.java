package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Closes: JSON that other tools cannot read, and totals that do not follow from the reports. */
class RunFilesTest {
  private final Path file;

  RunFilesTest(@TempDir Path dir) {
    this.file = dir.resolve("file.json");
  }

  @Test
  void theStateHasExactlyTransformersFieldsAndTheWholeLog() throws IOException {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.evaluation(0, 0.7));
    history.add(SampleRuns.step(1, 0.7));
    history.add(SampleRuns.step(2, 0.5));
    new TrainerState(4, 1.5, 8, 1, null, 500, Optional.empty()).write(file, history);
    JsonNode state = JsonMapper.shared().readTree(Files.readString(file));
    assertThat(state.propertyNames())
        .containsExactly(
            "best_global_step",
            "best_metric",
            "best_model_checkpoint",
            "epoch",
            "eval_steps",
            "global_step",
            "is_hyper_param_search",
            "is_local_process_zero",
            "is_world_process_zero",
            "log_history",
            "logging_steps",
            "max_steps",
            "num_input_tokens_seen",
            "num_train_epochs",
            "save_steps",
            "stateful_callbacks",
            "total_flos",
            "train_batch_size",
            "trial_name",
            "trial_params");
    assertThat(state.get("global_step").asInt()).isEqualTo(2);
    assertThat(state.get("num_train_epochs").asInt()).isEqualTo(2);
    assertThat(state.get("log_history")).hasSize(3);
    assertThat(state.get("log_history").get(0).get("eval_rewards/rejected").asDouble())
        .isEqualTo(-0.25);
    assertThat(state.get("log_history").get(2).get("step").asInt()).isEqualTo(2);
    assertThat(state.get("log_history").get(2).get("loss").asDouble()).isEqualTo(0.5);
  }

  @Test
  void theLayoutIsPythons() throws IOException {
    new TrainerState(4, 1, 8, 1, 10, 500, Optional.empty()).write(file, new RunHistory());
    assertThat(Files.readString(file))
        .startsWith("{\n  \"best_global_step\": null,\n")
        .contains("  \"eval_steps\": 10,\n", "  \"log_history\": [],\n")
        .contains("  \"stateful_callbacks\": {},\n")
        .endsWith("\"trial_params\": null\n}\n");
  }

  @Test
  void nanBecomesNullSoThatTheFileStaysJson() throws IOException {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.step(1, Double.NaN));
    history.add(SampleRuns.step(2, Double.POSITIVE_INFINITY));
    new TrainerState(2, 1, 8, 1, null, 500, Optional.empty()).write(file, history);
    JsonNode log = JsonMapper.shared().readTree(Files.readString(file)).get("log_history");
    assertThat(log.get(0).get("loss").isNull()).isTrue();
    assertThat(log.get(1).get("loss").isNull()).isTrue();
    assertThat(Files.readString(file)).doesNotContainIgnoringCase("nan").doesNotContain("Infinity");
  }

  @Test
  void trainLossIsTheMeanOverAllStepsWhateverTheLoggingInterval() {
    // Logged at steps 3 and 4: (3 x 0.6 + 1 x 0.2) / 4 = 0.5.
    RunHistory history = new RunHistory();
    history.add(SampleRuns.step(3, 0.6));
    history.add(SampleRuns.step(4, 0.2));
    assertThat(history.meanLoss()).usingComparator(relative(1e-12)).isEqualTo(0.5);
  }

  @Test
  void resultsGiveRatesAndTheLastEvaluation() throws IOException {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.evaluation(0, 0.7));
    history.add(SampleRuns.step(4, 0.6));
    history.add(SampleRuns.evaluation(4, 0.3));
    Results results = new Results(history, 147, 294, 0, 20, 2.5, OptionalLong.empty());
    results.writeTrain(file);
    JsonNode train = JsonMapper.shared().readTree(Files.readString(file));
    assertThat(Files.readString(file)).startsWith("{\n    \"epoch\": 2.0,\n");
    assertThat(train.get("train_samples_per_second").asDouble()).isEqualTo(14.7);
    assertThat(train.get("train_steps_per_second").asDouble()).isEqualTo(0.2);
    assertThat(train.get("reference_runtime").asDouble()).isEqualTo(2.5);
    assertThat(train.get("eval_runtime").asDouble()).isEqualTo(15.5524);
    assertThat(train.get("train_samples").asInt()).isEqualTo(147);
    results.writeEvaluation(file);
    JsonNode evaluation = JsonMapper.shared().readTree(Files.readString(file));
    assertThat(evaluation.get("eval_loss").asDouble()).isEqualTo(0.3);
    assertThat(evaluation.get("eval_samples").asInt()).isEqualTo(33);
    results.writeAll(file);
    JsonNode all = JsonMapper.shared().readTree(Files.readString(file));
    assertThat(all.get("train_loss").asDouble()).isEqualTo(0.6);
    assertThat(all.get("eval_loss").asDouble()).isEqualTo(0.3);
  }

  @Test
  void aRunWithoutEvaluationOrStepsStillGivesValidFiles() throws IOException {
    Results results = new Results(new RunHistory(), 0, 0, 0, 0, 0, OptionalLong.empty());
    assertThat(results.evaluation()).isEmpty();
    results.writeAll(file);
    JsonNode all = JsonMapper.shared().readTree(Files.readString(file));
    assertThat(all.get("train_loss").isNull()).isTrue();
  }
}
