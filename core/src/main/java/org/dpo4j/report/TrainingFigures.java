package org.dpo4j.report;

import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.TrainingResult;

/**
 * A training run in a few numbers; those of the end are means since the report before the last one,
 * NaN where the loss has no such number.
 *
 * @param steps steps done
 * @param loss at the end
 * @param accuracy {@code rewards/accuracies} at the end
 * @param margin {@code rewards/margins} at the end
 */
public record TrainingFigures(int steps, double loss, double accuracy, double margin) {

  /** The numbers of a run that did a step. */
  public static TrainingFigures of(TrainingResult result) {
    StepReport last = result.finalReport().orElseThrow();
    TrainingMetrics metrics = last.metrics();
    return new TrainingFigures(
        result.steps(), metrics.loss(), metrics.rewardsAccuracies(), metrics.rewardsMargins());
  }
}
