package org.dpo4j.options;

/**
 * A number of steps as transformers writes it: a whole number from 1, or a fraction below 1 of all
 * steps of the run.
 *
 * @param value above 0; whole from 1 on
 */
public record StepInterval(double value) {

  public StepInterval {
    boolean whole = value == Math.rint(value) && value <= Integer.MAX_VALUE;
    if (!(value > 0) || (value >= 1 && !whole)) {
      throw new IllegalArgumentException(
          "a whole number of steps from 1, or a fraction of the run between 0 and 1");
    }
  }

  /** The interval in steps, at least 1, of a run of {@code maxSteps} steps. */
  public int steps(int maxSteps) {
    return value < 1 ? Math.max(1, (int) Math.ceil(maxSteps * value)) : (int) value;
  }
}
