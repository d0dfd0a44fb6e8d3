package org.dpo4j.train;

import org.dpo4j.TrainingControl;

/** The requests of listeners that are not fulfilled yet. */
final class Requests implements TrainingControl {

  private boolean stop;
  private boolean evaluation;
  private boolean checkpoint;

  @Override
  public void requestStop() {
    stop = true;
  }

  @Override
  public void requestEvaluation() {
    evaluation = true;
  }

  @Override
  public void requestCheckpoint() {
    checkpoint = true;
  }

  boolean evaluation() {
    return evaluation;
  }

  boolean checkpoint() {
    return checkpoint;
  }

  boolean stop() {
    return stop;
  }

  /** Whether an evaluation was requested since the last call. */
  boolean takeEvaluation() {
    boolean requested = evaluation;
    evaluation = false;
    return requested;
  }

  /** Whether a checkpoint was requested since the last call. */
  boolean takeCheckpoint() {
    boolean requested = checkpoint;
    checkpoint = false;
    return requested;
  }
}
