package org.dpo4j.run;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import org.dpo4j.DpoException;
import org.dpo4j.StepReport;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.report.Conclusion;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.TrainerState;
import org.dpo4j.weights.ModelBlueprint;

/**
 * A run as its files tell it, also one of transformers or TRL.
 *
 * @param folder of the files
 * @param history of its steps and evaluations
 * @param options of the run; empty for other programs
 * @param conclusion from both
 */
record FinishedRun(
    Path folder, RunHistory history, Optional<TrainingConfig> options, Conclusion conclusion) {

  /**
   * Reads a run.
   *
   * @param state the {@code trainer_state.json}
   * @param beta of the rewards, if the user gave it
   * @param output receives a warning if the options cannot be read
   * @throws DpoException if the history is damaged
   */
  static FinishedRun read(Path state, Optional<Double> beta, RunOutput output) {
    Path folder = Objects.requireNonNull(state.toAbsolutePath().getParent(), "a file");
    Optional<TrainingConfig> options = RecordedOptions.of(folder, output);
    RunHistory history = history(state, options.filter(known -> !hasRouterLoss(folder, known)));
    Conclusion conclusion =
        options
            .map(
                known ->
                    TrainingSummary.conclusion(history, known, beta.orElse(known.loss().beta())))
            .orElseGet(() -> ofUnknownOptions(beta, history));
    return new FinishedRun(folder, history, options, conclusion);
  }

  /** The routers' loss is added to that of theory from the first step on. */
  private static boolean hasRouterLoss(Path folder, TrainingConfig options) {
    Path model = Files.exists(folder.resolve("config.json")) ? folder : options.model().model();
    try {
      return Files.exists(model.resolve("config.json"))
          && ModelBlueprint.read("model", model).hasRouterLoss();
    } catch (DpoException e) {
      return false; // a model that this version does not read
    }
  }

  /**
   * @param options of the run, if they determine the loss before the first update
   */
  private static RunHistory history(Path file, Optional<TrainingConfig> options) {
    RunHistory logged = TrainerState.readHistory(file);
    RunHistory history = new RunHistory();
    history.restore(
        logged.steps(),
        logged.evaluations(),
        options
            .filter(TrainingConfig::startsAtReference)
            .map(config -> config.loss().objective().valueAtZero())
            .orElseGet(OptionalDouble::empty));
    return history;
  }

  /** Takes the policy to start at a reference, as is usual. */
  private static Conclusion ofUnknownOptions(Optional<Double> beta, RunHistory history) {
    double learningRate =
        history.steps().stream()
            .mapToDouble(StepReport::learningRate)
            .filter(Double::isFinite)
            .max()
            .orElse(Double.NaN);
    OptionalDouble known = beta.map(OptionalDouble::of).orElseGet(OptionalDouble::empty);
    return new Conclusion(history, history.startLoss(), known, learningRate, true, true);
  }
}
