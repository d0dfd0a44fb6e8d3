package org.dpo4j.model;

/**
 * The settings of a model's rotary embedding.
 *
 * @param theta base of the frequencies ({@code rope_theta})
 * @param scaling change of the frequencies for longer sequences
 */
public record Rope(double theta, RopeScaling scaling) {

  /** Unscaled frequencies. */
  public static Rope of(double theta) {
    return new Rope(theta, new RopeScaling.None());
  }

  /**
   * The frequencies, in radians per position, of each pair of channels.
   *
   * @param headDim width of a head; even
   * @return shape (headDim/2)
   */
  public float[] frequencies(int headDim) {
    float[] frequencies = new float[headDim / 2];
    for (int i = 0; i < frequencies.length; i++) {
      // In fp32 as transformers computes it: theta^(2i/d) is rounded before it is inverted.
      frequencies[i] = 1.0f / (float) Math.pow(theta, (float) (2 * i) / (float) headDim);
    }
    return scaling.scale(frequencies, theta);
  }
}
