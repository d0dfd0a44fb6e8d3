package org.dpo4j.optim;

/**
 * The learning rate of each step: a warm-up, then a course that the shape gives, as in
 * transformers.
 *
 * @param peak the rate that the shape's factors multiply, not negative
 * @param shape course of the learning rate
 * @param warmupSteps steps of the warm-up, not negative
 * @param totalSteps steps of the run, not negative
 */
public record LearningRateSchedule(
    double peak, ScheduleShape shape, int warmupSteps, int totalSteps) {

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
    return new LearningRateSchedule(rate, new ScheduleShape.Constant(), 0, 0);
  }

  /**
   * The learning rate of a step.
   *
   * @param step counted from 0
   */
  public double at(int step) {
    return peak
        * (step < warmupSteps
            ? shape.rising(step, warmupSteps)
            : shape.after(step, warmupSteps, totalSteps));
  }
}
