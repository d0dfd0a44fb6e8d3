package org.dpo4j;

/**
 * Ends a training run from another thread. The run finishes its current step, evaluates, saves its
 * weights and returns a result with {@link EndReason#CANCELLED}; or, suspended, it saves a
 * checkpoint from which another run continues. A run that has not done a step yet saves nothing.
 *
 * <p>{@link Thread#interrupt} is more abrupt: the interrupted run throws a {@link DpoException} at
 * its next check and saves nothing.
 *
 * <p>Safe for use by any number of threads. One cancellation may serve several runs.
 */
public final class Cancellation {

  private volatile boolean cancelled;
  private volatile boolean suspended;

  /** Cancels; a second call has no effect. Returns at once, while the run still does its step. */
  public void cancel() {
    cancelled = true;
  }

  /**
   * Ends the run after its current step to be continued later: instead of a model it saves a
   * checkpoint, unless {@code save_strategy} is no, and returns a result with {@link
   * EndReason#SUSPENDED}. A second call has no effect.
   */
  public void suspend() {
    suspended = true;
  }

  /**
   * Whether {@link #suspend} was called.
   *
   * @return whether {@link #suspend} was called
   */
  public boolean isSuspended() {
    return suspended;
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
