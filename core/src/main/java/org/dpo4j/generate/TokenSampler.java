package org.dpo4j.generate;

import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

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

  /** Samples a token from logits, shape (vocab). */
  int pick(float[] logits, SplittableRandom random) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
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
    while (candidates < order.length && (candidates == 0 || nucleus < topP * total)) {
      nucleus += weights[order[candidates++]];
    }
    double left = random.nextDouble() * nucleus;
    for (int i = 0; i < candidates; i++) {
      left -= weights[order[i]];
      if (left < 0) {
        return order[i];
      }
    }
    return order[candidates - 1];
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
