package org.dpo4j.options;

/**
 * A port of this machine's loopback address on which a page is shown.
 *
 * @param number 0 for any that is free, {@value #NONE} for no page
 */
public record LoopbackPort(int number) {

  static final String RULE = "true (any free port), false, or a port up to 65535";

  private static final int NONE = -1;
  private static final int LAST = 65535;

  public LoopbackPort {
    if (number < NONE || number > LAST) {
      throw new IllegalArgumentException(RULE);
    }
  }

  /** Reads a word or a number. */
  static LoopbackPort of(String text) {
    if (text.matches("\\d{1,5}")) {
      return new LoopbackPort(Integer.parseInt(text));
    }
    return new LoopbackPort(OptionType.truth(text) ? 0 : NONE);
  }

  /** Whether a page is shown. */
  public boolean isOpen() {
    return number != NONE;
  }

  @Override
  public String toString() {
    return number > 0 ? Integer.toString(number) : Boolean.toString(isOpen());
  }
}
