package org.dpo4j.run;

import java.util.function.DoubleSupplier;

/** Wall time of a run in seconds, that of the run which it continues included. */
final class RunClock implements DoubleSupplier {

  private final double before;
  private final long started = System.nanoTime();

  /**
   * Starts the clock.
   *
   * @param before seconds of the earlier run
   */
  RunClock(double before) {
    this.before = before;
  }

  /** Seconds of this process. */
  double sinceStart() {
    return (System.nanoTime() - started) / 1e9;
  }

  @Override
  public double getAsDouble() {
    return before + sinceStart();
  }
}
