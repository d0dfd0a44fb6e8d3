package org.dpo4j;

/**
 * A failure that a person can act on: the message names the file and line or the option, the rule,
 * the value found and what to do. The command line prints the message alone and exits with 1.
 */
public class DpoException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** In characters: a message may quote a file, and a file may hold a value of any length. */
  private static final int LONGEST = 3000;

  private static final int END = 700; // what to do stands at the end

  private final String text;

  /**
   * A failure with its message, in which {@link OptionText} may mark options.
   *
   * @param text the message
   */
  public DpoException(String text) {
    super(OptionText.plain(shortened(text)));
    this.text = shortened(text);
  }

  /**
   * A failure with its message, in which {@link OptionText} may mark options, and its cause.
   *
   * @param text the message
   * @param cause what caused the failure
   */
  public DpoException(String text, Throwable cause) {
    super(OptionText.plain(shortened(text)), cause);
    this.text = shortened(text);
  }

  private static String shortened(String text) {
    return text.length() <= LONGEST
        ? text
        : text.substring(0, LONGEST - END) + " [...] " + text.substring(text.length() - END);
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
