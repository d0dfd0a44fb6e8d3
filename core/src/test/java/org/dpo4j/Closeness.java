package org.dpo4j;

import java.util.Comparator;

/**
 * What "equal to rounding" means. A processor adds in its own order and with its own instructions,
 * so the last digits of a result differ from machine to machine, in proportion to what was added.
 * No test may bound them by a number that ignores this size.
 *
 * <p>One operation rounds by at most 2^-53 = 1.1e-16 of its result in 64 bits and 2^-24 = 6e-8 in
 * 32 bits. A sum of n terms of one sign is off by at most n times that, typically by its root.
 * Tolerances follow: 1e-12 for 64-bit results of some thousand operations, 1e-10 to 1e-8 for
 * gradients through several layers of them; 1e-6 for a few operations in 32 bits and 2e-5 for
 * log-probabilities and logits of a whole model, where about a hundred roundings add up.
 */
public final class Closeness {
  private Closeness() {}

  /**
   * Equal when |x - y| <= tolerance max(1, |x|, |y|): relative to large numbers, absolute for those
   * below 1, which come from differences of numbers of about 1.
   */
  public static Comparator<Double> relative(double tolerance) {
    return (x, y) ->
        Math.abs(x - y) <= tolerance * Math.max(1, Math.max(Math.abs(x), Math.abs(y)))
            ? 0
            : Double.compare(x, y);
  }
}
