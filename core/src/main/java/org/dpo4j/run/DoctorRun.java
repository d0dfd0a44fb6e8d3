package org.dpo4j.run;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.StepReport;
import org.dpo4j.config.DoctorConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.report.Conclusion;
import org.dpo4j.report.LogFormat;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.report.TrainerState;

/** Explains the curves of a finished run: a summary, and each symptom with its numbers. */
public final class DoctorRun {

  private DoctorRun() {}

  /**
   * Reads the records of a run and prints their explanation.
   *
   * @throws DpoException if they are damaged
   */
  public static void run(DoctorConfig config, RunOutput output) {
    config.checkInputs();
    Path file = config.file();
    Optional<TrainingConfig> options = options(file, output);
    RunHistory history = history(file, options);
    Conclusion conclusion = conclusion(config, history, options);
    Prose prose = Prose.of(output, LogFormat.TABLE);
    prose.line(
        "%s: %s up to step %,d, %s",
        file,
        ShortNumber.count(history.steps().size(), "logged step"),
        history.lastStep().map(StepReport::step).orElse(0),
        ShortNumber.count(history.evaluations().size(), "evaluation"));
    conclusion.summary().forEach(prose::wrapped);
    List<String> symptoms = conclusion.warnings();
    if (symptoms.isEmpty()) {
      prose.line(
          conclusion.isShort()
              ? "nothing is conspicuous, but the run is too short to tell much"
              : "nothing is conspicuous");
    } else {
      prose.line("%s:", ShortNumber.count(symptoms.size(), "symptom"));
      symptoms.forEach(symptom -> prose.wrapped("- " + output.styled(symptom)));
    }
    if (history.evaluations().isEmpty()) {
      prose.print(
          OptionText.of(
              "there is no evaluation, so nothing is known of pairs that were not trained on; pass"
                  + " {eval_file} or {eval_split} to the next run"));
    }
  }

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

  /** The options of a run of this program; empty for others. */
  private static Optional<TrainingConfig> options(Path file, RunOutput output) {
    Path yaml = file.resolveSibling(RunRecords.OPTIONS);
    if (!Files.isRegularFile(yaml)) {
      return Optional.empty();
    }
    try {
      return Optional.of(TrainingConfig.OPTIONS.read(YamlOptions.read(yaml)));
    } catch (DpoException e) {
      output.warn("[%s] is not used: %s".formatted(yaml, e.text()));
      return Optional.empty();
    }
  }

  private static Conclusion conclusion(
      DoctorConfig config, RunHistory history, Optional<TrainingConfig> options) {
    return options
        .map(
            known ->
                TrainingSummary.conclusion(
                    history, known, config.beta().orElse(known.loss().beta())))
        .orElseGet(() -> ofUnknownOptions(config, history));
  }

  /** Takes the policy to start at a reference, as is usual. */
  private static Conclusion ofUnknownOptions(DoctorConfig config, RunHistory history) {
    double learningRate =
        history.steps().stream()
            .mapToDouble(StepReport::learningRate)
            .filter(Double::isFinite)
            .max()
            .orElse(Double.NaN);
    OptionalDouble beta = config.beta().map(OptionalDouble::of).orElseGet(OptionalDouble::empty);
    return new Conclusion(history, history.startLoss(), beta, learningRate, true, true);
  }
}
