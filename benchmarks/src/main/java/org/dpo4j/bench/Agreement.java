package org.dpo4j.bench;

import java.util.List;
import java.util.Locale;

/**
 * Whether two programs computed the same: losses step by step. A ratio of speeds says nothing
 * without it.
 *
 * @param tolerance largest |x - y| / max(1, |y|) that is rounding
 * @param largest the largest that was found; infinite where the numbers of steps differ
 */
record Agreement(double tolerance, double largest) {

  /** Both in fp32: rounding alone. */
  static final double FP32 = 5e-4;

  /** One of them in bf16, which rounds to three digits. */
  static final double BF16 = 2e-2;

  /** PEFT draws other first factors, so that losses agree only while B is near 0. */
  static final double LORA = 2e-2;

  static Agreement of(List<Double> ours, List<Double> theirs, double tolerance) {
    double largest = ours.size() == theirs.size() ? 0 : Double.POSITIVE_INFINITY;
    for (int i = 0; i < Math.min(ours.size(), theirs.size()); i++) {
      double y = theirs.get(i);
      double difference = Math.abs(ours.get(i) - y) / Math.max(1, Math.abs(y));
      largest = Math.max(largest, Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference);
    }
    return new Agreement(tolerance, largest);
  }

  boolean holds() {
    return largest <= tolerance;
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "losses %s: largest difference %.1e, allowed %.0e",
        holds() ? "agree" : "DIFFER",
        largest,
        tolerance);
  }
}
