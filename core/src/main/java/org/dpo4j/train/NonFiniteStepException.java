package org.dpo4j.train;

import org.dpo4j.DpoException;

/** Training stopped before a step whose loss, log-probabilities or gradient are not finite. */
public final class NonFiniteStepException extends DpoException {
  private static final long serialVersionUID = 1L;

  private final transient NonFiniteStep step;

  NonFiniteStepException(String text, NonFiniteStep step) {
    super(text);
    this.step = step;
  }

  /** What was found; the weights are those before the step. */
  public NonFiniteStep step() {
    return step;
  }
}
