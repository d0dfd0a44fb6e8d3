package org.dpo4j.run;

/** The names of {@code --on_bad_row}: what a row that cannot be used does to the run. */
public enum OnBadRow {
  /** The run stops with file and line. */
  STOP,
  /** The row is left out and counted by reason. */
  SKIP
}
