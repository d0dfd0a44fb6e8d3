package org.dpo4j.tracking;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A request that failed. The message is for people; it shows no secret. */
final class TrackingFailure extends IOException {
  private static final long serialVersionUID = 1L;

  private final String code;
  private final boolean passing;

  private TrackingFailure(String message, String code, boolean passing, @Nullable Throwable cause) {
    super(message, cause);
    this.code = code;
    this.passing = passing;
  }

  /** A failure that another request would meet too. */
  static TrackingFailure lasting(String message, @Nullable Throwable cause) {
    return new TrackingFailure(message, "", false, cause);
  }

  /** A failure that may pass. */
  static TrackingFailure passing(String message, @Nullable Throwable cause) {
    return new TrackingFailure(message, "", true, cause);
  }

  /** An answer that is a refusal, with MLflow's {@code error_code}, or "". */
  static TrackingFailure refused(String message, String code, boolean passing) {
    return new TrackingFailure(message, code, passing, null);
  }

  /** MLflow's name of the failure, as {@code RESOURCE_DOES_NOT_EXIST}; empty if there is none. */
  String code() {
    return code;
  }

  boolean isPassing() {
    return passing;
  }
}
