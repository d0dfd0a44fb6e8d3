package org.dpo4j.encode;

/** How a run treats bad rows: the option {@code on_bad_row}. */
public enum OnBadRow {
  /** The run ends before its first step; the message shows the first bad rows and counts all. */
  STOP,
  /** Bad rows are skipped and counted by reason. */
  SKIP
}
