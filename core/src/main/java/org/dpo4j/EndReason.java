package org.dpo4j;

/** Why a training run ended. */
public enum EndReason {
  /** All planned steps were done. */
  COMPLETED,
  /** A listener called {@link TrainingControl#requestStop}. */
  STOPPED_BY_LISTENER,
  /** The held-out metric stopped improving: {@code early_stopping_patience}. */
  STOPPED_EARLY,
  /** A diagnosis that {@code guard} names appeared. */
  STOPPED_BY_GUARD,
  /** {@link Cancellation#cancel} was called. */
  CANCELLED,
  /**
   * {@link Cancellation#suspend} was called, or the process was asked to end. The run can be
   * continued from its last checkpoint.
   */
  SUSPENDED,
  /** A listener threw an exception; {@link ListenerException#result} has the result. */
  LISTENER_FAILED
}
