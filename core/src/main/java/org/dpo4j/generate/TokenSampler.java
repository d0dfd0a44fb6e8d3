package org.dpo4j.generate;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.torch.Tensors;

/**
 * Samples the next token.
 *
 * @param temperature divides the logits; 0 always takes the most probable token
 * @param topP nucleus sampling: draws from the most probable tokens whose probabilities sum to
 *     this, in (0, 1]. Holtzman et al. 2019, arXiv 1904.09751
 * @param topK draws from this number of most probable tokens, before {@code topP}; {@link #ALL} for
 *     no limit. Fan et al. 2018, arXiv 1805.04833
 */
public record TokenSampler(double temperature, double topP, int topK) {

  /** No limit to the number of tokens. */
  public static final int ALL = 0;

  public TokenSampler {
    if (!(temperature >= 0)) {
      throw new IllegalArgumentException("temperature must not be negative but was " + temperature);
    }
    if (!(topP > 0 && topP <= 1)) {
      throw new IllegalArgumentException("topP must be in (0, 1] but was " + topP);
    }
    if (topK < 0) {
      throw new IllegalArgumentException("topK must not be negative but was " + topK);
    }
  }

  /** Draws from all tokens of the nucleus. */
  public TokenSampler(double temperature, double topP) {
    this(temperature, topP, ALL);
  }

  /**
   * What {@link #pick} needs: the logits without a temperature, else the probabilities.
   *
   * @param logits shape (rows, vocab)
   * @return shape (rows, vocab)
   * @throws DpoException if a logit is not finite
   */
  Tensor weights(Tensor logits) {
    requireFinite(logits);
    return temperature == 0
        ? logits
        : logits
            .sub(logits.amax(new long[] {1}, true)) // so that a small temperature cannot overflow
            .div(Tensors.scalar(temperature))
            .softmax(1);
  }

  private static void requireFinite(Tensor logits) {
    if (Tensors.finite(logits)) {
      return;
    }
    float[] all = Tensors.toFloats(logits);
    for (int i = 0; i < all.length; i++) {
      if (!Float.isFinite(all[i])) {
        throw new DpoException(
            "the logits must be finite but that of token %d is %s; the model's weights are damaged, or too large for 32 bits"
                .formatted(i % logits.size(1), all[i]));
      }
    }
  }

  /**
   * Samples a token.
   *
   * @param weights a row of {@link #weights}
   */
  int pick(float[] weights, SplittableRandom random) {
    if (temperature == 0) {
      return largest(weights);
    }
    if (topP == 1 && topK == ALL) {
      return draw(weights, random);
    }
    List<Integer> candidates = candidates(weights);
    float[] kept = new float[candidates.size()];
    for (int i = 0; i < kept.length; i++) {
      kept[i] = weights[candidates.get(i)];
    }
    return candidates.get(draw(kept, random));
  }

  /** The place of the largest weight, the first of several. */
  private static int largest(float[] weights) {
    int best = 0;
    for (int i = 0; i < weights.length; i++) {
      if (weights[i] > weights[best]) {
        best = i;
      }
    }
    return best;
  }

  /** A place, with a probability proportional to its weight. */
  private static int draw(float[] weights, SplittableRandom random) {
    double left = random.nextDouble() * sum(weights);
    int last = 0; // takes what rounding leaves, too
    for (int i = 0; i < weights.length; i++) {
      if (weights[i] > 0) {
        last = i;
        left -= weights[i];
        if (left < 0) {
          return i;
        }
      }
    }
    return last;
  }

  private static double sum(float[] weights) {
    double sum = 0;
    for (float weight : weights) {
      sum += weight;
    }
    return sum;
  }

  /** The tokens to draw from, by falling probability. */
  private List<Integer> candidates(float[] weights) {
    float least = topK == ALL ? 0 : ofRank(weights, topK);
    // Tokens below this have less than 1 - topP together, so none of them is in the nucleus.
    double negligible = topK == ALL ? sum(weights) * (1 - topP) / weights.length : 0;
    List<Integer> ranked = new ArrayList<>();
    for (int i = 0; i < weights.length; i++) {
      if (weights[i] >= least && weights[i] >= negligible) {
        ranked.add(i);
      }
    }
    ranked.sort(Comparator.comparingDouble((Integer i) -> -weights[i]));
    List<Integer> top = topK == ALL ? ranked : ranked.subList(0, Math.min(topK, ranked.size()));
    double total = topK == ALL ? sum(weights) : top.stream().mapToDouble(i -> weights[i]).sum();
    int count = 0;
    double nucleus = 0;
    while (count < top.size() && nucleus < topP * total) {
      nucleus += weights[top.get(count++)];
    }
    return top.subList(0, count);
  }

  /** The weight that {@code rank} - 1 others reach or exceed; the smallest if there are fewer. */
  private static float ofRank(float[] weights, int rank) {
    PriorityQueue<Float> top = new PriorityQueue<>();
    for (float weight : weights) {
      if (top.size() < rank) {
        top.add(weight);
      } else if (weight > top.element()) {
        top.remove();
        top.add(weight);
      }
    }
    return top.element();
  }
}
