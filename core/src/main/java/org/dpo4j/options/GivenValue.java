package org.dpo4j.options;

/**
 * The value that a user gave to an option.
 *
 * @param text the value as written; lists are joined by commas
 * @param origin {@code file:line: } for a value from a file, to put before a message; else empty
 */
public record GivenValue(String text, String origin) {

  /** A value from the command line or from code, whose message needs no place. */
  public static GivenValue of(Object value) {
    return new GivenValue(OptionType.text(value), "");
  }

  /** Whether this is the way to say "not set": null or none, as Python tools spell it. */
  public boolean none() {
    return text.isEmpty() || text.equalsIgnoreCase("null") || text.equalsIgnoreCase("none");
  }
}
