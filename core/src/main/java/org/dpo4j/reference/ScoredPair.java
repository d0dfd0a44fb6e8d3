package org.dpo4j.reference;

import org.dpo4j.encode.EncodedPair;
import org.jspecify.annotations.Nullable;

/**
 * A pair with the log-probabilities that a frozen reference gives its completions.
 *
 * @param pair token ids and weight
 * @param reference null without a reference, or with one that moves
 */
public record ScoredPair(EncodedPair pair, @Nullable Scores reference) {

  /**
   * Log-probabilities of both completions under the reference, in nats.
   *
   * @param chosen log ref(y_w given x)
   * @param rejected log ref(y_l given x)
   */
  public record Scores(double chosen, double rejected) {}
}
