package org.dpo4j.report;

/** The names of {@code --log_format}: how the numbers of a run are printed while it trains. */
public enum LogFormat {
  /** A compact table for people. */
  TABLE,
  /** One line for each report, in the form of a Python dictionary, as TRL prints it. */
  DICT,
  /**
   * One JSON object for each report, alone on standard output; all other text goes to standard
   * error.
   */
  JSON
}
