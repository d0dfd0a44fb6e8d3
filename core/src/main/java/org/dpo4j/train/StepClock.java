package org.dpo4j.train;

/** Wall times of the current step, and their means over the steps since the last report. */
final class StepClock {
  private long started;
  private long computeNanos; // of the current step
  private long updateNanos; // of the last step
  private long allComputeNanos;
  private long allNanos;
  private int steps;
  private long lastComputeNanos;

  /** A micro-batch or an update begins. */
  void start() {
    started = System.nanoTime();
  }

  /** The gradients of a micro-batch are computed. */
  void computed() {
    computeNanos += System.nanoTime() - started;
  }

  /** The weights are updated, which ends the step. */
  void updated() {
    updateNanos = System.nanoTime() - started;
    lastComputeNanos = computeNanos;
    computeNanos = 0;
    allComputeNanos += lastComputeNanos;
    allNanos += lastComputeNanos + updateNanos;
    steps++;
  }

  /** Of the last step. */
  double computeSeconds() {
    return lastComputeNanos / 1e9;
  }

  /** Of the last step. */
  double stepSeconds() {
    return (lastComputeNanos + updateNanos) / 1e9;
  }

  double meanComputeSeconds() {
    return allComputeNanos / 1e9 / steps;
  }

  double meanStepSeconds() {
    return allNanos / 1e9 / steps;
  }
}
