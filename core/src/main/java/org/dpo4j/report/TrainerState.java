package org.dpo4j.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.StepReport;
import org.jspecify.annotations.Nullable;

/**
 * The settings in {@code trainer_state.json}, for transformers' {@code TrainerState.load_from_json}
 * and for plot scripts. The file has exactly the fields of that class, because the loader fails on
 * unknown ones; {@code total_flos} is 0 because dpo4j does not count operations.
 *
 * @param maxSteps optimizer steps of the whole run
 * @param numTrainEpochs passes over the data, rounded up in the file as transformers does
 * @param trainBatchSize pairs of one micro-batch
 * @param loggingSteps steps between two logged ones
 * @param evalSteps steps between two evaluations; null when they do not go by steps
 * @param saveSteps steps between two checkpoints
 * @param best empty if no evaluation takes part
 */
public record TrainerState(
    int maxSteps,
    double numTrainEpochs,
    int trainBatchSize,
    int loggingSteps,
    @Nullable Integer evalSteps,
    int saveSteps,
    Optional<Best> best) {

  /**
   * The best evaluation so far.
   *
   * @param metric value of {@code metric_for_best_model}
   * @param step steps done
   * @param checkpoint its folder; null if it has none
   */
  public record Best(double metric, int step, @Nullable String checkpoint) {}

  /** Writes the file, with indent 2 and sorted keys. */
  public void write(Path file, RunHistory history) throws IOException {
    Optional<StepReport> last = history.lastStep();
    Map<String, @Nullable Object> state = new HashMap<>();
    state.put("best_global_step", best.map(Best::step).orElse(null));
    state.put("best_metric", best.map(Best::metric).orElse(null));
    state.put("best_model_checkpoint", best.map(Best::checkpoint).orElse(null));
    state.put("epoch", last.map(StepReport::epoch).orElse(0.0));
    state.put("eval_steps", evalSteps);
    state.put("global_step", last.map(StepReport::step).orElse(0));
    state.put("is_hyper_param_search", false);
    state.put("is_local_process_zero", true);
    state.put("is_world_process_zero", true);
    state.put("log_history", history.log());
    state.put("logging_steps", loggingSteps);
    state.put("max_steps", maxSteps);
    state.put("num_input_tokens_seen", last.map(StepReport::numTokens).orElse(0L));
    state.put("num_train_epochs", (long) Math.ceil(numTrainEpochs));
    state.put("save_steps", saveSteps);
    state.put("stateful_callbacks", Map.of());
    state.put("total_flos", 0.0);
    state.put("train_batch_size", trainBatchSize);
    state.put("trial_name", null);
    state.put("trial_params", null);
    JsonFile.write(file, state, 2);
  }

  /**
   * Reads the history of a run, of this program or of transformers and TRL. What a line does not
   * have is NaN, or 0 for counts.
   *
   * @param file {@code trainer_state.json}
   * @throws DpoException if it is damaged or has no logged step
   */
  public static RunHistory readHistory(Path file) {
    return LoggedHistory.read(file);
  }
}
