package org.dpo4j;

/**
 * A failure that a person can act on: the message names the file and line or the option, the rule,
 * the value found and what to do. The command line prints the message alone and exits with 1.
 */
public class DpoException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public DpoException(String message) {
    super(message);
  }

  public DpoException(String message, Throwable cause) {
    super(message, cause);
  }
}
