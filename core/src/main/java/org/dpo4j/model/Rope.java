package org.dpo4j.model;

/**
 * Which rotary embedding a model has.
 *
 * @param theta base of the frequencies, as {@code rope_theta}
 * @param scaling what is done to them
 */
public record Rope(double theta, RopeScaling scaling) {

  /** Frequencies as they are. */
  public static Rope of(double theta) {
    return new Rope(theta, new RopeScaling.None());
  }

  /**
   * Radians by position of each pair of channels.
   *
   * @param headDim even
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
