package org.dpo4j.report;

import java.util.Optional;
import org.dpo4j.PairMetrics;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;

/**
 * Checks the first pairs that are trained on after the first update. If all of them are ranked
 * right, chosen and rejected differ in something that one step teaches, such as their length or an
 * error of the template, and the rest of the run learns little else.
 *
 * <p>For runs that start at their reference: from another start, pairs can be ranked right before
 * anything was learned.
 */
public final class EarlyAccuracy implements TrainingListener {

  /** With nine of ten right, 32 in a row happen in one run of thirty. */
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
    if (step.epoch() <= 1) {
      add(step.pairs(), step.metrics());
    }
  }

  /**
   * Adds a step of the first epoch.
   *
   * @param pairs in this step
   * @param metrics of its forward passes
   */
  public void add(int pairs, PairMetrics metrics) {
    if (seen < ENOUGH && !metrics.tied()) {
      seen += pairs;
      right += (int) Math.round(pairs * metrics.rewardsAccuracies());
    }
  }

  /** A warning if all early pairs were ranked right. */
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
