package org.dpo4j.model;

import org.jspecify.annotations.Nullable;

/**
 * The settings of a model's rotary embedding.
 *
 * @param theta base of the frequencies ({@code rope_theta})
 * @param scaling change of the frequencies for longer sequences
 * @param width number of channels of a head that are rotated, from the first on; even
 * @param interleaved whether channels 2i and 2i + 1 are a pair, as in GPT-J; else i and i + width/2
 * @param queryScaling change of the queries with the position; null for none
 */
public record Rope(
    double theta,
    RopeScaling scaling,
    int width,
    boolean interleaved,
    @Nullable QueryScaling queryScaling) {

  /**
   * The factor 1 + beta log(1 + floor(position / originalPositions)) of a token's queries, as in
   * Llama 4 and Ministral 3.
   *
   * @param originalPositions the original context, in tokens
   */
  public record QueryScaling(double beta, int originalPositions) {}

  /** Unscaled frequencies for whole heads. */
  public static Rope of(double theta, int headDim) {
    return new Rope(theta, new RopeScaling.None(), headDim, false, null);
  }

  /** The same with another base of the frequencies. */
  public Rope withTheta(double base) {
    return new Rope(base, scaling, width, interleaved, queryScaling);
  }

  /** The same with a change of the queries, or none. */
  public Rope withQueryScaling(@Nullable QueryScaling queries) {
    return new Rope(theta, scaling, width, interleaved, queries);
  }

  /** The frequencies, in radians per position, of each pair of channels, shape (width/2). */
  public float[] frequencies() {
    float[] frequencies = new float[width / 2];
    for (int i = 0; i < frequencies.length; i++) {
      // In fp32 as transformers computes it: theta^(2i/d) is rounded before it is inverted.
      frequencies[i] = 1.0f / (float) Math.pow(theta, (float) (2 * i) / (float) width);
    }
    return scaling.scale(frequencies, theta);
  }
}
