package org.dpo4j.serve;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A refusal in the form of OpenAI's errors. */
final class ApiError extends Exception {

  static final int BAD_REQUEST = 400;
  static final int UNAUTHORIZED = 401;
  static final int FORBIDDEN = 403;
  static final int NOT_FOUND = 404;
  static final int METHOD_NOT_ALLOWED = 405;
  static final int TOO_LARGE = 413;
  static final int UNSUPPORTED_TYPE = 415;
  static final int TOO_MANY = 429;
  static final int FAILED = 500;
  static final int UNAVAILABLE = 503;

  /** OpenAI's code for it. */
  static final String NO_SUCH_MODEL = "model_not_found";

  private static final long serialVersionUID = 1;

  private final int status;
  private final @Nullable String field;
  private final @Nullable String code;

  private ApiError(int status, String message, @Nullable String field, @Nullable String code) {
    super(message);
    this.status = status;
    this.field = field;
    this.code = code;
  }

  /** A refusal of the whole request. */
  static ApiError of(int status, String message) {
    return new ApiError(status, message, null, null);
  }

  /** A refusal for which clients have a code. */
  static ApiError of(int status, String message, String code) {
    return new ApiError(status, message, null, code);
  }

  /** A refusal of one field; the message names it. */
  static ApiError ofField(String field, String message) {
    return new ApiError(BAD_REQUEST, message, field, null);
  }

  /** As above with a code. */
  static ApiError ofField(int status, String field, String message, String code) {
    return new ApiError(status, message, field, code);
  }

  int status() {
    return status;
  }

  private String type() {
    return switch (status) {
      case UNAUTHORIZED -> "authentication_error";
      case FORBIDDEN -> "permission_error";
      case NOT_FOUND -> "not_found_error";
      case TOO_MANY -> "rate_limit_error";
      case FAILED, UNAVAILABLE -> "server_error";
      default -> "invalid_request_error";
    };
  }

  Map<String, Object> body() {
    Map<String, @Nullable Object> error = new LinkedHashMap<>();
    error.put("message", getMessage());
    error.put("type", type());
    error.put("param", field);
    error.put("code", code);
    return Map.of("error", error);
  }
}
