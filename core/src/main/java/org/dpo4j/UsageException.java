package org.dpo4j;

/** A wrong option, value or combination, found before any work began: the exit code is 2. */
public class UsageException extends DpoException {
  private static final long serialVersionUID = 1L;

  public UsageException(String message) {
    super(message);
  }

  public UsageException(String message, Throwable cause) {
    super(message, cause);
  }
}
