package org.dpo4j.run;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;
import org.dpo4j.EndReason;
import org.dpo4j.OptionText;
import org.dpo4j.config.ReferenceChoice;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.Conclusion;
import org.dpo4j.report.DiagnosisGuard;
import org.dpo4j.report.EarlyAccuracy;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.report.TimeText;
import org.dpo4j.train.Trainer;

/** Prints what a run did: before its weights are saved, and when its folder is in place. */
final class TrainingSummary {

  private final TrainingConfig config;
  private final Trainer.Settings settings;
  private final RunOutput output;
  private final Prose prose;

  TrainingSummary(TrainingConfig config, Trainer.Settings settings, RunOutput output) {
    this.config = config;
    this.settings = settings;
    this.output = output;
    this.prose = Prose.of(output, config.output().logFormat());
  }

  /** The conclusion from a run's history. */
  Conclusion conclusion(RunHistory history) {
    return conclusion(history, config, config.loss().beta());
  }

  /** The conclusion from the history of a run with some options. */
  static Conclusion conclusion(RunHistory history, TrainingConfig config, double beta) {
    boolean relative = config.startsAtReference() && !config.loss().syncRefModel();
    return new Conclusion(
        history,
        history.startLoss(),
        relative ? OptionalDouble.of(beta) : OptionalDouble.empty(),
        config.optimizer().learningRate(),
        config.loss().referenceChoice() != ReferenceChoice.NONE,
        config.startsAtReference());
  }

  /** After the final evaluation. */
  void trained(TrainingTotals totals, Conclusion conclusion, EarlyAccuracy early) {
    prose.line(
        "done: %s in %s%s",
        new StepDescriptions(config, settings).done(totals),
        TimeText.of(totals.seconds()),
        reason(totals.endReason()));
    conclusion.summary().forEach(prose::wrapped);
    conclusion.warnings().stream()
        .filter(
            warning ->
                output.warnings().stream().noneMatch(said -> said.contains(output.styled(warning))))
        .forEach(output::warn);
    early.warning().ifPresent(output::warn);
  }

  /**
   * Says which diagnosis stopped the run.
   *
   * @param saved step whose weights are saved; 0 if none are
   */
  void guarded(DiagnosisGuard.Stop stop, int saved) {
    output.warn(
        OptionText.of(
            "{guard} %s stopped the run after step %d, and %s: %s",
            stop.name(),
            stop.step(),
            saved == 0
                ? "nothing is saved"
                : saved < stop.step()
                    ? "the weights of step %d, the best, are saved".formatted(saved)
                    : "the weights as they were then are saved",
            stop.diagnosis()));
  }

  /** Nothing for a run that did all its steps. */
  private String reason(EndReason reason) {
    return switch (reason) {
      case COMPLETED -> "";
      case STOPPED_BY_LISTENER -> ", stopped by a listener";
      case STOPPED_EARLY ->
          ", stopped early: %s did not improve in %s"
              .formatted(
                  config.bestMetric().name(),
                  ShortNumber.count(config.checkpoints().earlyStoppingPatience(), "evaluation"));
      case STOPPED_BY_GUARD -> ", stopped by a diagnosis";
      case CANCELLED -> ", cancelled";
      case SUSPENDED -> ", interrupted";
      case LISTENER_FAILED -> ", stopped since a listener failed";
    };
  }

  /** Of a run that ended before its first step. */
  void nothingTrained(EndReason reason) {
    prose.line(
        "no step was done%s: nothing was saved in %s", reason(reason), config.output().outputDir());
  }

  /** Of a run that stopped to be continued. */
  void suspended(TrainingTotals totals, Optional<Path> checkpoint) {
    prose.line("interrupted after %s", new StepDescriptions(config, settings).done(totals.steps()));
    prose.line(
        checkpoint
            .map(
                saved ->
                    OptionText.of(
                        "saved as %s; to continue, repeat the command with {resume_from_checkpoint}"
                            + " true",
                        config.output().outputDir().resolve(saved.getFileName())))
            .map(output::styled)
            .orElse("no checkpoint was saved, since save_strategy is no"));
  }

  /** When the output folder is in place. */
  void published(TrainingTotals totals) {
    Path folder = config.output().outputDir();
    prose.line("written to %s", folder);
    prose.line(
        "  the model card %s has the results%s",
        folder.resolve("README.md"),
        !config.output().samplePrompts().isNone() ? " and sample answers" : "");
    prose.line(
        "  to try it: %s generate --model %s --prompt \"...\"",
        Paths.launcher(),
        config.trainsAdapter()
            ? "%s --adapter %s".formatted(config.model().model(), folder)
            : folder);
    if (config.template().chatTemplateKwargs().isPresent()) {
      prose.line(
          "  with the variables of the template, which are not saved: {chat_template_kwargs} '%s'",
          OptionType.text(config.template().chatTemplateKwargs().get()));
    }
    if (!totals.earlyWarnings().isEmpty()) {
      // These have scrolled off the console; later warnings are a few lines above.
      output.err().println("earlier warnings of this run:");
      totals.earlyWarnings().forEach(warning -> output.err().println("  - " + warning));
    }
  }
}
