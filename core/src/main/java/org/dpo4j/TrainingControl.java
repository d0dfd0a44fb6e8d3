package org.dpo4j;

/**
 * What a listener can request of the run it observes. Requests take effect when all listeners have
 * received the current event; making one twice has no further effect. For use by the listener
 * during the call that received it; {@link Cancellation} stops a run from another thread.
 */
public interface TrainingControl {

  /**
   * Ends the run after the current step. The run evaluates its held-out pairs, saves the weights
   * and returns a result with {@link EndReason#STOPPED_BY_LISTENER}.
   */
  void requestStop();

  /**
   * Evaluates the held-out pairs after the current step, if that is not due anyway. Without
   * held-out pairs nothing happens.
   */
  void requestEvaluation();

  /**
   * Saves a checkpoint after the current step, whatever {@code save_strategy} is, and delivers
   * {@link TrainingListener#onCheckpoint}.
   */
  void requestCheckpoint();
}
