package org.dpo4j.report;

import java.util.Optional;
import org.dpo4j.PairMetrics;

/**
 * Watches the first pairs that are trained on after the weights have moved. If all of them are
 * ranked right, chosen and rejected differ in something that one step teaches, such as their length
 * or a slip of the template, and the rest of the run learns little else.
 */
public final class EarlyAccuracy {

  /** With nine of ten right, 32 in a row happen in one run of thirty. */
  private static final int ENOUGH = 32;

  private int seen;
  private int right;

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

  /** What to look at where all early pairs were right. */
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
