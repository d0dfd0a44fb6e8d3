package org.dpo4j.model;

import java.util.List;

/**
 * A change of the rotary frequencies that extends a model's context. Arithmetic is in fp32 and in
 * transformers' order, so that the frequencies are equal to the last bit.
 */
public sealed interface RopeScaling {

  /**
   * Returns the changed frequencies of a head.
   *
   * @param frequencies radians per position of each pair of channels, descending, in (0, 1]
   * @param theta base of the frequencies
   * @return the same number of frequencies
   */
  float[] scale(float[] frequencies, double theta);

  /** Factor of the rotated queries and keys. */
  default double magnitude() {
    return 1;
  }

  /** Unchanged frequencies. Su et al. 2021, arXiv 2104.09864. */
  record None() implements RopeScaling {
    @Override
    public float[] scale(float[] frequencies, double theta) {
      return frequencies;
    }
  }

  /**
   * Position interpolation: all frequencies are divided by a factor. Chen et al. 2023, arXiv
   * 2306.15595.
   */
  record LinearInterpolation(double factor) implements RopeScaling {
    @Override
    public float[] scale(float[] frequencies, double theta) {
      float[] scaled = new float[frequencies.length];
      for (int i = 0; i < scaled.length; i++) {
        scaled[i] = frequencies[i] / (float) factor;
      }
      return scaled;
    }
  }

  /**
   * Low frequencies are divided by a factor, high ones stay, with a linear ramp between.
   * Grattafiori et al. 2024, arXiv 2407.21783.
   *
   * @param factor divisor of the low frequencies
   * @param lowFrequency a frequency with fewer turns in the original context is low
   * @param highFrequency a frequency with more turns in the original context is high; greater than
   *     lowFrequency
   * @param originalPositions the original context, in tokens
   */
  record Llama3(double factor, double lowFrequency, double highFrequency, int originalPositions)
      implements RopeScaling {
    @Override
    public float[] scale(float[] frequencies, double theta) {
      float[] scaled = new float[frequencies.length];
      for (int i = 0; i < scaled.length; i++) {
        float wavelength = (float) (2 * Math.PI) / frequencies[i];
        float low = frequencies[i] / (float) factor;
        if (wavelength > originalPositions / lowFrequency) {
          scaled[i] = low;
        } else if (wavelength < originalPositions / highFrequency) {
          scaled[i] = frequencies[i];
        } else {
          float ramp =
              (originalPositions / wavelength - (float) lowFrequency)
                  / (float) (highFrequency - lowFrequency);
          scaled[i] = (1 - ramp) * low + ramp * frequencies[i];
        }
      }
      return scaled;
    }
  }

  /**
   * LongRoPE within the original context: each frequency is divided by a factor of its own. Ding et
   * al. 2024, arXiv 2402.13753. Sequences beyond the original context have other factors, which
   * transformers chooses for a whole batch by its longest sequence; they are not supported.
   *
   * @param divisors of the frequencies, one for each pair of channels
   * @param originalPositions the original context, in tokens
   * @param magnitude factor of the rotated queries and keys
   */
  record LongRope(List<Double> divisors, int originalPositions, double magnitude)
      implements RopeScaling {
    public LongRope {
      divisors = List.copyOf(divisors);
    }

    @Override
    public float[] scale(float[] frequencies, double theta) {
      float[] scaled = new float[frequencies.length];
      for (int i = 0; i < scaled.length; i++) {
        float period = (float) Math.pow(theta, (float) (2 * i) / (float) (2 * scaled.length));
        scaled[i] = 1.0f / (divisors.get(i).floatValue() * period);
      }
      return scaled;
    }
  }

  /**
   * YaRN: channels with many turns in the original context keep their frequency, channels with few
   * turns have it divided, with a linear ramp over the channels between. Peng et al. 2023, arXiv
   * 2309.00071.
   *
   * @param factor divisor of the frequencies of channels with few turns
   * @param fastTurns turns in the original context at which the ramp begins
   * @param slowTurns turns in the original context at which the ramp ends
   * @param truncate whether the ends of the ramp are rounded outwards to whole channels
   * @param originalPositions the original context, in tokens
   * @param magnitude factor of the rotated queries and keys
   */
  record Yarn(
      double factor,
      double fastTurns,
      double slowTurns,
      boolean truncate,
      int originalPositions,
      double magnitude)
      implements RopeScaling {
    @Override
    public float[] scale(float[] frequencies, double theta) {
      int dim = 2 * frequencies.length;
      double first = channel(fastTurns, dim, theta);
      double last = channel(slowTurns, dim, theta);
      double begin = Math.max(truncate ? Math.floor(first) : first, 0);
      double end = Math.min(truncate ? Math.ceil(last) : last, dim - 1.0);
      float width = (float) (begin == end ? 0.001 : end - begin);
      float[] scaled = new float[frequencies.length];
      for (int i = 0; i < scaled.length; i++) {
        float kept = 1 - Math.min(1, Math.max(0, (i - (float) begin) / width));
        float divided = 1 / ((float) factor * (1 / frequencies[i]));
        scaled[i] = divided * (1 - kept) + frequencies[i] * kept;
      }
      return scaled;
    }

    /** The (fractional) channel that makes this number of turns in the original context. */
    private double channel(double turns, int dim, double theta) {
      return dim * Math.log(originalPositions / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
    }
  }
}
