package org.dpo4j.hub;

import java.time.Duration;

/**
 * How long the hub is waited for.
 *
 * @param connect for a connection
 * @param idle for the next byte
 * @param failures in a row without a new byte, after which a file is given up
 * @param firstPause after the first failure; doubled after each other one
 * @param longestPause that the hub may ask for
 */
record Patience(
    Duration connect, Duration idle, int failures, Duration firstPause, Duration longestPause) {

  static final Patience USUAL =
      new Patience(
          Duration.ofSeconds(20),
          Duration.ofSeconds(60),
          6,
          Duration.ofSeconds(1),
          Duration.ofMinutes(5));

  /** The pause after a number of failures in a row, at least 1. */
  Duration pause(int failed) {
    return firstPause.multipliedBy(1L << (failed - 1));
  }
}
