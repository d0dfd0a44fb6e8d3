package org.dpo4j.train;

import org.dpo4j.SavedCheckpoint;

/** Saves the state of a session between two steps. */
public interface Checkpointing {

  /** Whether the run saves checkpoints of its own; if not, only those that a listener requests. */
  boolean enabled();

  /**
   * Whether a checkpoint is planned after a step.
   *
   * @param step steps done
   * @param epochEnded whether the step ended an epoch
   * @param evaluated whether the held-out pairs were evaluated after the step
   */
  boolean due(int step, boolean epochEnded, boolean evaluated);

  /**
   * Saves a checkpoint.
   *
   * @param session between two steps
   */
  SavedCheckpoint save(TrainingSession session);
}
