package org.dpo4j;

/**
 * A failure that a person can act on: the message names the file and line or the option, the rule,
 * the value found and what to do. The command line prints the message alone and exits with 1.
 */
public class DpoException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String text;

  /**
   * A failure with its message, in which {@link OptionText} may mark options.
   *
   * @param text the message
   */
  public DpoException(String text) {
    super(OptionText.plain(text));
    this.text = text;
  }

  /**
   * A failure with its message, in which {@link OptionText} may mark options, and its cause.
   *
   * @param text the message
   * @param cause what caused the failure
   */
  public DpoException(String text, Throwable cause) {
    super(OptionText.plain(text), cause);
    this.text = text;
  }

  /**
   * The message with its options still marked: for another message that contains this one.
   *
   * @return the message with marks around the names of options
   */
  public final String text() {
    return text;
  }
}
