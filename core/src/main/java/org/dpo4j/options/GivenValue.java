package org.dpo4j.options;

/**
 * A value given to an option.
 *
 * @param text the value as written; lists are joined by commas
 * @param origin {@code file:line: } for a value from a file, the prefix of messages about it; else
 *     empty
 */
public record GivenValue(String text, String origin) {

  /** A value from the command line or from code, without a place. */
  public static GivenValue of(Object value) {
    return new GivenValue(OptionType.text(value), "");
  }

  /**
   * Whether the value means "not set": null or none, as Python tools write it, or an empty list or
   * mapping.
   */
  public boolean none() {
    return text.isEmpty()
        || text.equals("{}")
        || text.equalsIgnoreCase("null")
        || text.equalsIgnoreCase("none");
  }
}
