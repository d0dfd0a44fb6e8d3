package org.dpo4j;

/**
 * Comparison of the first micro-batch with theory. Before the first update, policy and reference
 * are the same model, so all log-ratios are 0 and many losses have a known value.
 *
 * @param expected loss where all log-ratios are 0
 * @param measured weighted mean loss of the first micro-batch
 * @param largestLogRatio largest |log-ratio| of a completion of the micro-batch, as a share of
 *     max(1, |log-probability|)
 * @param bf16 whether matrices are multiplied in bfloat16, which allows larger differences
 */
public record StartCheck(double expected, double measured, double largestLogRatio, boolean bf16) {

  private static final double LOSS_TOLERANCE = 1e-4;
  private static final double BF16_TOLERANCE = 2e-2;

  /**
   * Largest log-ratio that rounding alone explains: the reference's sums may have been computed in
   * another order. A large beta turns it into a visible difference of the loss.
   */
  private static final double ROUNDING = 1e-5;

  /** Largest difference of the loss that rounding can cause; a wrong formula differs by more. */
  private static final double ROUNDED_LOSS_TOLERANCE = 0.2;

  /** Errors of several completions can cancel in the mean loss, so each one is checked too. */
  private static final double WORST_LOG_RATIO = 1e-4;

  /**
   * Whether the loss has its theoretical value and no log-ratio exceeds rounding.
   *
   * @return whether the check passed
   */
  public boolean passed() {
    if (bf16) {
      // With a large beta rounding alone changes the loss visibly.
      return largestLogRatio <= BF16_TOLERANCE
          && Math.abs(measured - expected)
              <= ROUNDED_LOSS_TOLERANCE * Math.max(1, Math.abs(expected));
    }
    double off = Math.abs(measured - expected) / Math.max(1, Math.abs(expected));
    return (off <= LOSS_TOLERANCE && largestLogRatio <= WORST_LOG_RATIO)
        || (off <= ROUNDED_LOSS_TOLERANCE && largestLogRatio <= ROUNDING);
  }
}
