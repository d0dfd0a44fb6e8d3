package org.dpo4j.fuzz;

import org.dpo4j.DpoException;

/** What a parser may do with a file that it does not accept. */
final class Refusal {
  /** A message that quotes a file quotes a part of it. */
  private static final int LONGEST = 4000;

  private Refusal() {}

  /**
   * Reads, and accepts a refusal; any other exception or error passes through as a finding.
   *
   * @return whether the input was accepted
   */
  static boolean orResult(Reading reading) throws Exception {
    try {
      reading.read();
      return true;
    } catch (DpoException refusal) {
      check(String.valueOf(refusal.getMessage()));
      return false;
    }
  }

  /** Fails if a message says nothing or too much. */
  static void check(String message) {
    if (message.isBlank() || message.equals("null") || message.length() > LONGEST) {
      throw new AssertionError(
          "a refusal must have 1 to %d characters but has %d: %.200s"
              .formatted(LONGEST, message.length(), message));
    }
  }

  /** One use of a parser. */
  interface Reading {
    void read() throws Exception;
  }
}
