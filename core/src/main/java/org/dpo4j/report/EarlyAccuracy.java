package org.dpo4j.report;

import java.util.Optional;
import org.dpo4j.ExampleKind;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingMetrics;

/**
 * Checks the accuracy on the first training pairs after the first update. If all of them are ranked
 * correctly, chosen and rejected answers differ in something that one step can teach, such as
 * length or a template error. The rest of the run then learns little else.
 *
 * <p>Only for runs that start at their reference. In other runs, pairs can be ranked correctly
 * before the first update.
 */
public final class EarlyAccuracy implements TrainingListener {

  /** At an accuracy of 90 %, the first 32 pairs are all correct in one of thirty runs. */
  private static final int ENOUGH = 32;

  private int seen;
  private int right;

  /**
   * What was counted so far.
   *
   * @param seen pairs that were looked at
   * @param right pairs of them that were ranked right
   */
  public record Count(int seen, int right) {}

  public Count count() {
    return new Count(seen, right);
  }

  /** Continues the count of an earlier run. */
  public void restore(Count count) {
    seen = count.seen();
    right = count.right();
  }

  @Override
  public void onStep(StepReport step, TrainingControl control) {
    if (step.epoch() <= 1 && step.metrics().kind() == ExampleKind.PAIRS) {
      add(step.examples(), step.metrics());
    }
  }

  /**
   * Adds a step of the first epoch.
   *
   * @param pairs in this step
   * @param metrics of its forward passes
   */
  public void add(int pairs, TrainingMetrics metrics) {
    if (seen < ENOUGH && !metrics.tied()) {
      seen += pairs;
      right += (int) Math.round(pairs * metrics.rewardsAccuracies());
    }
  }

  /** A warning if all early pairs were ranked correctly. */
  public Optional<String> warning() {
    return seen >= ENOUGH && right == seen
        ? Optional.of(
            ("all of the first %d pairs after the first update were ranked right: chosen and"
                    + " rejected differ in something trivial, such as length, the end token or the"
                    + " template, and the model may learn that alone; compare a few rows with"
                    + " dpo4j inspect")
                .formatted(seen))
        : Optional.empty();
  }
}
