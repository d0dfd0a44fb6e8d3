package org.dpo4j.logprob;

import org.dpo4j.batch.FlatSequences;

/**
 * LD-DPO's weight of the longer completion's surplus: log pi(y) counts the first min(|y_w|, |y_l|)
 * tokens of both completions fully and those behind them with alpha. Liu et al. 2024, arXiv
 * 2409.06411; as TRL's {@code ld_alpha}, for the policy and the reference alike.
 *
 * @param alpha in [0, 1]: 1 weights nothing, 0 leaves out what the other completion has no part to
 *     compare with
 */
public record LengthDesensitizing(double alpha) {

  /** All tokens count fully. */
  public static final LengthDesensitizing NONE = new LengthDesensitizing(1);

  public LengthDesensitizing {
    if (!(alpha >= 0 && alpha <= 1)) { // !(>=) refuses NaN too
      throw new IllegalArgumentException("ld_alpha must be in [0, 1] but was " + alpha);
    }
  }

  /**
   * The weight of every scored token.
   *
   * @param pairs sequence 2i is the chosen completion of pair i, 2i + 1 the rejected one
   * @return shape (scored)
   */
  double[] of(FlatSequences pairs) {
    int[] sequenceOf = pairs.sequenceOf();
    int[] scored = new int[pairs.sequences()];
    int[] rank = new int[sequenceOf.length]; // of the token in its own completion
    for (int i = 0; i < sequenceOf.length; i++) {
      rank[i] = scored[sequenceOf[i]]++;
    }
    double[] weights = new double[sequenceOf.length];
    for (int i = 0; i < weights.length; i++) {
      boolean shared = rank[i] < scored[sequenceOf[i] ^ 1]; // the pair's other completion
      weights[i] = shared ? 1 : alpha;
    }
    return weights;
  }
}
