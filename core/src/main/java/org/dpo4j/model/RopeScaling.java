package org.dpo4j.model;

/**
 * How the rotary frequencies of a model are stretched so that it takes longer sequences. All
 * arithmetic is in fp32 and in transformers' order, so that the frequencies round alike.
 */
public sealed interface RopeScaling {

  /**
   * Changes the frequencies of a head.
   *
   * @param frequencies radians by position of each pair of channels, falling, in (0, 1]
   * @param theta their base
   * @return as many
   */
  float[] scale(float[] frequencies, double theta);

  /** What the turned queries and keys are multiplied with. */
  default double magnitude() {
    return 1;
  }

  /** The frequencies as they are. Su et al. 2021, arXiv 2104.09864. */
  record None() implements RopeScaling {
    @Override
    public float[] scale(float[] frequencies, double theta) {
      return frequencies;
    }
  }

  /**
   * All frequencies divided by a factor: position interpolation. Chen et al. 2023, arXiv
   * 2306.15595.
   */
  record Linear(double factor) implements RopeScaling {
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
   * Low frequencies divided by a factor, high ones as they are, and a ramp between. Grattafiori et
   * al. 2024, arXiv 2407.21783.
   *
   * @param factor of the low frequencies
   * @param lowFrequency turns over the original context up to which a frequency is low
   * @param highFrequency turns from which on it is high; above lowFrequency
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
   * YaRN: channels that turn often in the original context keep their frequency, those that turn
   * seldom have it divided, with a ramp over the channels between. Peng et al. 2023, arXiv
   * 2309.00071.
   *
   * @param factor of the seldom turning channels
   * @param fastTurns over the original context from which on a channel turns often
   * @param slowTurns up to which it turns seldom
   * @param truncate whether the ramp begins and ends at whole channels
   * @param originalPositions the original context, in tokens
   * @param magnitude of the turned queries and keys
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

    /** The channel, of {@code dim}, that turns so often over the original context. */
    private double channel(double turns, int dim, double theta) {
      return dim * Math.log(originalPositions / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
    }
  }
}
