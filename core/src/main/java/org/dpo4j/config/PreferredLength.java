package org.dpo4j.config;

/** The values of the option {@code prefer}: which completions the judge of lengths prefers. */
public enum PreferredLength {
  SHORTER,
  LONGER
}
