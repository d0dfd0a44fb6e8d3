package org.dpo4j;

/** Why a training run ended. */
public enum EndReason {
  /** All planned steps were done. */
  COMPLETED,
  /** A listener called {@link TrainingControl#requestStop}. */
  STOPPED_BY_LISTENER,
  /** {@link Cancellation#cancel} was called. */
  CANCELLED,
  /** A listener threw an exception; {@link ListenerException#result} has the result. */
  LISTENER_FAILED
}
