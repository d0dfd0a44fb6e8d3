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
 * Samples the next token. The filters are applied in this order, which is transformers': repetition
 * penalty, temperature, {@code topK}, {@code topP}, {@code minP}.
 *
 * @param temperature divides the logits; 0 always takes the most probable token
 * @param topP nucleus sampling: draws from the most probable tokens whose probabilities sum to
 *     this, in (0, 1]. Holtzman et al. 2019, arXiv 1904.09751
 * @param topK draws from this number of most probable tokens, before {@code topP}; {@link #ALL} for
 *     no limit. Fan et al. 2018, arXiv 1805.04833
 * @param minP draws from the tokens that are at least this times as probable as the most probable
 *     one, in [0, 1]; 0 keeps all. Nguyen et al. 2024, arXiv 2407.01082
 * @param repetitionPenalty divides the positive logits of the tokens of prompt and completion and
 *     multiplies their negative ones, from 0.01 to 100; 1 changes nothing. Keskar et al. 2019
 *     (CTRL), arXiv 1909.05858, section 4.1
 */
public record TokenSampler(
    double temperature, double topP, int topK, double minP, double repetitionPenalty) {

  /** No limit to the number of tokens. */
  public static final int ALL = 0;

  /** Far beyond these, logits would not fit into 32 bits. */
  public static final double LEAST_PENALTY = 0.01;

  public static final double LARGEST_PENALTY = 100;

  public TokenSampler {
    require(temperature >= 0, "temperature must not be negative", temperature);
    require(topP > 0 && topP <= 1, "topP must be in (0, 1]", topP);
    require(topK >= 0, "topK must not be negative", topK);
    require(minP >= 0 && minP <= 1, "minP must be in [0, 1]", minP);
    require(
        repetitionPenalty >= LEAST_PENALTY && repetitionPenalty <= LARGEST_PENALTY,
        "repetitionPenalty must be from 0.01 to 100",
        repetitionPenalty);
  }

  private static void require(boolean holds, String rule, Number found) {
    if (!holds) {
      throw new IllegalArgumentException(rule + " but was " + found);
    }
  }

  /** Draws from all tokens of the nucleus. */
  public TokenSampler(double temperature, double topP) {
    this(temperature, topP, ALL);
  }

  /** Draws from the nucleus of the most probable tokens. */
  public TokenSampler(double temperature, double topP, int topK) {
    this(temperature, topP, topK, 0, 1);
  }

  /** Whether the tokens before the next one matter. */
  boolean looksBack() {
    return repetitionPenalty != 1;
  }

  /**
   * What {@link #pick} needs: the logits without a temperature, else the probabilities.
   *
   * @param logits finite, shape (1, vocab)
   * @param earlier the distinct tokens before the next one; may be empty unless {@link #looksBack}
   * @return vocab numbers
   */
  float[] weights(Tensor logits, int[] earlier) {
    Tensor penalized = looksBack() ? penalized(logits, earlier) : logits;
    return Tensors.toFloats(
        temperature == 0
            ? penalized
            : penalized
                .sub(penalized.amax(new long[] {1}, true)) // a small temperature cannot overflow
                .div(Tensors.scalar(temperature))
                .softmax(1));
  }

  private Tensor penalized(Tensor logits, int[] earlier) {
    Tensor places = Tensors.indices(logits, earlier);
    double[] values = Tensors.toDoubles(logits.index_select(1, places));
    for (int i = 0; i < values.length; i++) {
      values[i] = values[i] < 0 ? values[i] * repetitionPenalty : values[i] / repetitionPenalty;
    }
    return logits.index_copy(1, places, Tensors.like(logits, values).unsqueeze(0));
  }

  /**
   * Checks the logits of several completions.
   *
   * @param logits shape (rows, vocab)
   * @throws DpoException if a logit is not finite
   */
  static void requireFinite(Tensor logits) {
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
    if (topP == 1 && topK == ALL && minP == 0) {
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
    double related = minP * weights[largest(weights)];
    List<Integer> ranked = new ArrayList<>();
    for (int i = 0; i < weights.length; i++) {
      boolean ofTheTop = weights[i] >= least && weights[i] >= negligible;
      // Before the nucleus only where it changes no sum.
      if (ofTheTop && (topK != ALL || weights[i] >= related)) {
        ranked.add(i);
      }
    }
    ranked.sort(Comparator.comparingDouble((Integer i) -> -weights[i]));
    List<Integer> top = topK == ALL ? ranked : ranked.subList(0, Math.min(topK, ranked.size()));
    double total = topK == ALL ? sum(weights) : top.stream().mapToDouble(i -> weights[i]).sum();
    int count = 0;
    double nucleus = 0;
    while (count < top.size()
        && nucleus < topP * total
        && (count == 0 || weights[top.get(count)] >= related)) {
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
