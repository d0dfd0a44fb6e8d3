package org.dpo4j.encode;

/** What a bad row does to the run: the option {@code on_bad_row}. */
public enum OnBadRow {
  /** The first one ends the run with its file and line. */
  STOP,
  /** Each is counted by reason and left out. */
  SKIP
}
