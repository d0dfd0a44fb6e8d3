package org.dpo4j.hub;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.dpo4j.DpoException;

/** The failures in a row of one file or list: a pause after each, until there are too many. */
final class Retries {
  private static final int TOO_MANY_REQUESTS = 429;

  private final Patience patience;
  private final String what;
  private int failures;

  /**
   * Retries of one request.
   *
   * @param what is fetched, for messages; empty for what needs no name
   */
  Retries(Patience patience, String what) {
    this.patience = patience;
    this.what = what;
  }

  /** Something arrived. */
  void progressed() {
    failures = 0;
  }

  /**
   * Waits before the next request.
   *
   * @throws DpoException if there is to be none
   */
  void after(HubFailure failure) {
    failures++;
    if (!failure.isPassing() || failures >= patience.failures()) {
      throw new DpoException(message(failure), failure);
    }
    Duration asked = failure.pause();
    if (asked.compareTo(patience.longestPause()) > 0) {
      throw new DpoException(message(failure), failure);
    }
    Duration own = patience.pause(failures);
    sleep(asked.compareTo(own) > 0 ? asked : own);
  }

  private String message(HubFailure failure) {
    return (what.isEmpty() ? "" : what + " did not arrive: ")
        + failure.getMessage()
        + (failures > 1 ? " (tried %d times)".formatted(failures) : "")
        + (failure.isPassing() && failure.status() != TOO_MANY_REQUESTS
            ? "; try later, or through another network or proxy"
            : "");
  }

  private static void sleep(Duration pause) {
    try {
      TimeUnit.NANOSECONDS.sleep(pause.toNanos());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw interrupted();
    }
  }

  static DpoException interrupted() {
    return new DpoException(
        "the thread was interrupted while it downloaded; run again to continue");
  }
}
