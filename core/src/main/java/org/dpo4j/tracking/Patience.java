package org.dpo4j.tracking;

import java.time.Duration;

/**
 * How long a tracking server is waited for.
 *
 * @param connect for a connection
 * @param answer for a whole answer
 * @param firstPause after the first failure; doubled after each other one
 * @param longestPause between two attempts
 * @param end for what is still to be sent when the run is over
 * @param waiting entries that may wait to be sent; further ones are lost
 */
record Patience(
    Duration connect,
    Duration answer,
    Duration firstPause,
    Duration longestPause,
    Duration end,
    int waiting) {

  static final Patience USUAL =
      new Patience(
          Duration.ofSeconds(10),
          Duration.ofSeconds(30),
          Duration.ofSeconds(1),
          Duration.ofSeconds(60),
          Duration.ofSeconds(15),
          20_000);
}
