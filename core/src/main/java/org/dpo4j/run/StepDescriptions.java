package org.dpo4j.run;

import java.util.Map;
import java.util.stream.Collectors;
import org.dpo4j.ExampleKind;
import org.dpo4j.config.OptimType;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.train.Trainer;

/** Texts about the number and size of a run's steps and about its learning rate. */
record StepDescriptions(TrainingConfig config, Trainer.Settings settings) {

  private static String settings(Map<String, Object> settings) {
    return settings.entrySet().stream()
        .map(entry -> entry.getKey() + " " + OptionType.text(entry.getValue()))
        .collect(Collectors.joining(", ", " (", ")"));
  }

  /** As in {@code 1 step} or {@code 20 steps}. */
  static String steps(int number) {
    return ShortNumber.count(number, "step");
  }

  /** As in {@code 20 steps}, or {@code 7 of 20 steps} for a run that ended early. */
  String done(int steps) {
    return steps == settings.maxSteps()
        ? steps(steps)
        : steps + " of " + steps(settings.maxSteps());
  }

  /** The same with the number of skipped steps, if there are any. */
  String done(TrainingTotals totals) {
    return done(totals.steps())
        + (totals.skippedSteps() == 0 ? "" : " (%d skipped)".formatted(totals.skippedSteps()));
  }

  /** Examples, or packs of them, of a whole step. */
  long pairsOfStep() {
    return (long) settings.plan().microBatchSize() * settings.plan().accumulation();
  }

  /** As in {@code 8 pairs}. */
  String sizeOfStep() {
    ExampleKind kind = config.loss().examples();
    boolean packed = config.data().packing() && kind == ExampleKind.DEMONSTRATIONS;
    return ShortNumber.count(pairsOfStep(), packed ? "pack" : kind.noun());
  }

  /**
   * As in {@code 1e-06, polynomial (power 2) after 3 warm-up steps}, with a separator of the
   * caller's choice and the optimizer if it is not AdamW.
   */
  String learningRate(String separator) {
    int warmup = settings.schedule().warmupSteps();
    OptimType optim = config.optimizer().optim();
    return OptionType.text(config.optimizer().learningRate())
        + separator
        + (optim.isAdamW() ? "" : OptionType.text(optim) + ", ")
        + OptionType.text(config.schedule().lrSchedulerType())
        + config.schedule().lrSchedulerKwargs().map(StepDescriptions::settings).orElse("")
        + (warmup == 0 ? "" : " after " + ShortNumber.count(warmup, "warm-up step"));
  }
}
