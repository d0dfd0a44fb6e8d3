package org.dpo4j.optim;

/**
 * The learning rate of each step: a linear warm-up from 0, then a shape, as in transformers.
 *
 * @param peak highest learning rate, not negative
 * @param shape course after the warm-up
 * @param warmupSteps steps of the warm-up, not negative
 * @param totalSteps steps of the run, not negative
 */
public record LearningRateSchedule(double peak, Shape shape, int warmupSteps, int totalSteps) {

  /** The course of the learning rate after the warm-up. */
  public enum Shape {
    /** Constant, without a warm-up. */
    CONSTANT,
    /** Constant after the warm-up. */
    CONSTANT_WITH_WARMUP,
    /** Linear decay to 0 at the end of the run. */
    LINEAR,
    /** Half a cosine, to 0 at the end of the run. */
    COSINE
  }

  public LearningRateSchedule {
    if (!(peak >= 0) || warmupSteps < 0 || totalSteps < 0) {
      throw new IllegalArgumentException(
          "peak, warmupSteps and totalSteps must not be negative but were "
              + peak
              + ", "
              + warmupSteps
              + ", "
              + totalSteps);
    }
  }

  /** The same rate for every step. */
  public static LearningRateSchedule constant(double rate) {
    return new LearningRateSchedule(rate, Shape.CONSTANT, 0, 0);
  }

  /**
   * The learning rate of a step.
   *
   * @param step counted from 0
   */
  public double at(int step) {
    if (shape != Shape.CONSTANT && step < warmupSteps) {
      return peak * step / Math.max(1, warmupSteps);
    }
    double progress =
        (double) (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps); // 0 to 1
    return switch (shape) {
      case CONSTANT, CONSTANT_WITH_WARMUP -> peak;
      case LINEAR -> peak * Math.max(0, 1 - progress);
      case COSINE -> peak * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
    };
  }
}
