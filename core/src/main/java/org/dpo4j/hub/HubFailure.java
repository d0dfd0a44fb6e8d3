package org.dpo4j.hub;

import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A request that failed. The message is for people: it says what to do.
 *
 * <p>A failure that may pass is worth another request.
 */
final class HubFailure extends IOException {
  private static final long serialVersionUID = 1L;

  private final int status;
  private final boolean passing;
  private final Duration pause;

  private HubFailure(
      String message, int status, boolean passing, Duration pause, @Nullable Throwable cause) {
    super(message, cause);
    this.status = status;
    this.passing = passing;
    this.pause = pause;
  }

  /** A failure that another request would meet too. */
  static HubFailure lasting(String message, @Nullable Throwable cause) {
    return new HubFailure(message, 0, false, Duration.ZERO, cause);
  }

  /** A failure that may pass. */
  static HubFailure passing(String message, @Nullable Throwable cause) {
    return new HubFailure(message, 0, true, Duration.ZERO, cause);
  }

  /**
   * An answer that is a refusal.
   *
   * @param pause what the hub asks to wait; zero for nothing
   */
  static HubFailure refused(String message, int status, boolean passing, Duration pause) {
    return new HubFailure(message, status, passing, pause, null);
  }

  /** The status of the answer; 0 if there was none. */
  int status() {
    return status;
  }

  boolean isPassing() {
    return passing;
  }

  Duration pause() {
    return pause;
  }
}
