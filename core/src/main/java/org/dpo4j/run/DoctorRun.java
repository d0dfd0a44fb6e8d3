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
import org.dpo4j.config.ReferenceChoice;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.report.Conclusion;
import org.dpo4j.report.LogFormat;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.report.TrainerState;

/** Says what the curves of a finished run mean: a summary, and each symptom with its numbers. */
public final class DoctorRun {

  private DoctorRun() {}

  /**
   * Reads the records of a run and prints what they say.
   *
   * @throws DpoException if they are damaged
   */
  public static void run(DoctorConfig config, RunOutput output) {
    config.checkInputs();
    Path file = config.file();
    RunHistory history = TrainerState.readHistory(file);
    Conclusion conclusion = conclusion(config, history, options(file, output));
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
      prose.line("nothing is conspicuous");
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
    Optional<Double> beta = config.beta().or(() -> options.map(known -> known.loss().beta()));
    boolean relative =
        options
            .map(known -> known.startsAtReference() && !known.loss().syncRefModel())
            .orElse(true);
    double learningRate =
        options
            .map(known -> known.optimizer().learningRate())
            .orElseGet(
                () ->
                    history.steps().stream()
                        .mapToDouble(StepReport::learningRate)
                        .filter(Double::isFinite)
                        .max()
                        .orElse(Double.NaN));
    return new Conclusion(
        history,
        OptionalDouble.empty(),
        beta.isPresent() && relative ? OptionalDouble.of(beta.get()) : OptionalDouble.empty(),
        learningRate,
        options.map(known -> known.loss().referenceChoice() != ReferenceChoice.NONE).orElse(true),
        options.map(TrainingConfig::startsAtReference).orElse(true));
  }
}
