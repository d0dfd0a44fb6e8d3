package org.dpo4j.generate;

import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;

/**
 * Samples the next token.
 *
 * @param temperature divides the logits; 0 always takes the most probable token
 * @param topP nucleus sampling: draws from the most probable tokens whose probabilities sum to
 *     this, in (0, 1]. Holtzman et al. 2019, arXiv 1904.09751
 */
public record TokenSampler(double temperature, double topP) {

  public TokenSampler {
    if (!(temperature >= 0)) {
      throw new IllegalArgumentException("temperature must not be negative but was " + temperature);
    }
    if (!(topP > 0 && topP <= 1)) {
      throw new IllegalArgumentException("topP must be in (0, 1] but was " + topP);
    }
  }

  /**
   * Samples a token.
   *
   * @param logits shape (vocab)
   * @throws DpoException if a logit is not finite
   */
  int pick(float[] logits, SplittableRandom random) {
    int best = mostProbable(logits);
    if (temperature == 0) {
      return best;
    }
    double[] weights = new double[logits.length];
    double total = 0;
    for (int i = 0; i < logits.length; i++) {
      weights[i] = Math.exp((logits[i] - logits[best]) / temperature);
      total += weights[i];
    }
    int[] order = topP == 1 ? IntStream.range(0, logits.length).toArray() : byWeight(weights);
    int candidates = 0;
    double nucleus = 0;
    while (candidates < order.length && nucleus < topP * total) {
      nucleus += weights[order[candidates++]];
    }
    double left = random.nextDouble() * nucleus;
    int last = candidates - 1; // takes what rounding leaves, too
    for (int i = 0; i < last; i++) {
      left -= weights[order[i]];
      if (left < 0) {
        return order[i];
      }
    }
    return order[last];
  }

  /** The token of the largest logit, the first of several. */
  private static int mostProbable(float[] logits) {
    int best = 0;
    for (int i = 0; i < logits.length; i++) {
      if (!Float.isFinite(logits[i])) {
        throw new DpoException(
            "the logits must be finite but that of token %d is %s; the model's weights are damaged, or too large for 32 bits"
                .formatted(i, logits[i]));
      }
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }

  /** The tokens by falling probability. */
  private static int[] byWeight(double[] weights) {
    return IntStream.range(0, weights.length)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer i) -> -weights[i]))
        .mapToInt(Integer::intValue)
        .toArray();
  }
}
