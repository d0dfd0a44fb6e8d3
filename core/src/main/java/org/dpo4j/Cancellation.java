package org.dpo4j;

/**
 * Ends a training run from another thread. The run finishes its current step, evaluates, saves its
 * weights and returns a result with {@link EndReason#CANCELLED}. A run that has not done a step yet
 * saves nothing.
 *
 * <p>{@link Thread#interrupt} is more abrupt: the interrupted run throws a {@link DpoException} at
 * its next check and saves nothing.
 *
 * <p>Safe for use by any number of threads. One cancellation may serve several runs.
 */
public final class Cancellation {

  private volatile boolean cancelled;

  /** Cancels; a second call has no effect. Returns at once, while the run still does its step. */
  public void cancel() {
    cancelled = true;
  }

  /**
   * Whether {@link #cancel} was called.
   *
   * @return whether {@link #cancel} was called
   */
  public boolean isCancelled() {
    return cancelled;
  }
}
