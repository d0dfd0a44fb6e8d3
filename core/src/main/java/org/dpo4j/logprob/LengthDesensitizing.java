package org.dpo4j.logprob;

import org.dpo4j.batch.FlatSequences;

/**
 * LD-DPO's token weights: in log pi(y) the first min(|y_w|, |y_l|) tokens of both completions count
 * fully, the remaining tokens of the longer one with weight alpha. Applies to policy and reference.
 * Liu et al. 2024, arXiv 2409.06411; TRL's {@code ld_alpha}.
 *
 * @param alpha weight of the remaining tokens, in [0, 1]; 1 is plain DPO
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
    int[] rank = new int[sequenceOf.length]; // position of the token in its completion
    for (int i = 0; i < sequenceOf.length; i++) {
      rank[i] = scored[sequenceOf[i]]++;
    }
    double[] weights = new double[sequenceOf.length];
    for (int i = 0; i < weights.length; i++) {
      int otherLength = scored[sequenceOf[i] ^ 1];
      boolean shared = rank[i] < otherLength;
      weights[i] = shared ? 1 : alpha;
    }
    return weights;
  }
}
