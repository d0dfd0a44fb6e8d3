package org.dpo4j.train;

/** The wall times of the steps since the last report, as means. */
final class StepClock {
  private long started;
  private long computed;
  private long lastComputeNanos;
  private long lastStepNanos;
  private long computeNanos;
  private long stepNanos;
  private int steps;

  /** A step begins. */
  void start() {
    started = System.nanoTime();
  }

  /** All its gradients are there. */
  void computed() {
    computed = System.nanoTime();
  }

  /** The weights have moved. */
  void stop() {
    lastComputeNanos = computed - started;
    lastStepNanos = System.nanoTime() - started;
    computeNanos += lastComputeNanos;
    stepNanos += lastStepNanos;
    steps++;
  }

  double lastComputeSeconds() {
    return lastComputeNanos / 1e9;
  }

  double lastStepSeconds() {
    return lastStepNanos / 1e9;
  }

  double computeSeconds() {
    return computeNanos / 1e9 / steps;
  }

  double stepSeconds() {
    return stepNanos / 1e9 / steps;
  }
}
