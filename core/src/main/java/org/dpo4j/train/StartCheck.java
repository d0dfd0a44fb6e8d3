package org.dpo4j.train;

/**
 * The loss of the first batch, where policy and reference should be the same model.
 *
 * @param expected what the loss is where all log-ratios are 0
 * @param measured the mean loss of the first micro-batch
 */
public record StartCheck(double expected, double measured) {

  private static final double TOLERANCE = 1e-4;

  /** Whether they agree to 1e-4 times max(1, |expected|). */
  public boolean passed() {
    return Math.abs(measured - expected) <= TOLERANCE * Math.max(1, Math.abs(expected));
  }
}
