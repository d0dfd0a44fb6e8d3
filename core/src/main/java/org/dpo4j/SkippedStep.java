package org.dpo4j;

import java.util.List;

/**
 * A step that was skipped because a loss, a log-probability or a gradient was not finite. Weights
 * and optimizer moments are as before the step; the schedule and the position in the data move on.
 *
 * @param step number of the step, from 1
 * @param maxSteps planned steps of the whole run
 * @param rows the rows of the pairs whose own numbers are not finite, as in {@code
 *     [pairs.jsonl:17]}; all rows of the step if only their sum is not finite
 * @param loss mean loss of the step; may be NaN or infinite
 * @param gradNorm 2-norm of the step's gradient; may be NaN or infinite
 * @param skipped steps skipped so far, this one included
 * @param limit steps that the run may skip in all
 */
public record SkippedStep(
    int step,
    int maxSteps,
    List<String> rows,
    double loss,
    double gradNorm,
    int skipped,
    int limit) {

  /**
   * Copies the rows.
   *
   * @param step number of the step
   * @param maxSteps planned steps
   * @param rows rows with numbers that are not finite
   * @param loss mean loss
   * @param gradNorm norm of the gradient
   * @param skipped steps skipped so far
   * @param limit steps that may be skipped
   */
  public SkippedStep {
    rows = List.copyOf(rows);
  }
}
