package org.dpo4j.train;

/**
 * The first batch before any weight moves, where policy and reference should be the same model.
 *
 * @param expected what the loss is where all log-ratios are 0
 * @param measured the mean loss of the first micro-batch
 * @param largestLogRatio the largest |log-ratio| of its completions, as a share of max(1,
 *     |log-probability|)
 * @param bf16 whether products are in bfloat16, which rounds more
 */
public record StartCheck(double expected, double measured, double largestLogRatio, boolean bf16) {

  private static final double LOSS_TOLERANCE = 1e-4;
  private static final double BF16_TOLERANCE = 2e-2;

  /**
   * What rounding alone can do: the same sums in another order, as when the reference was computed
   * in batches of another size. A large beta makes a visible loss of it.
   */
  private static final double ROUNDING = 1e-5;

  /** How far off a loss may be that rounding alone has moved; a wrong formula is further off. */
  private static final double ROUNDED_LOSS_TOLERANCE = 0.2;

  /** Errors of both sides can cancel in the mean loss; one completion alone must not be off. */
  private static final double WORST_LOG_RATIO = 1e-4;

  /** Whether the loss is what theory says and no completion is off by more than rounding. */
  public boolean passed() {
    if (bf16) {
      // A large beta makes a visible loss of rounding alone.
      return largestLogRatio <= BF16_TOLERANCE
          && Math.abs(measured - expected)
              <= ROUNDED_LOSS_TOLERANCE * Math.max(1, Math.abs(expected));
    }
    double off = Math.abs(measured - expected) / Math.max(1, Math.abs(expected));
    return (off <= LOSS_TOLERANCE && largestLogRatio <= WORST_LOG_RATIO)
        || (off <= ROUNDED_LOSS_TOLERANCE && largestLogRatio <= ROUNDING);
  }
}
