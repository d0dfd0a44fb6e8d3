package org.dpo4j.encode;

/** What a bad row does to the run: the option {@code on_bad_row}. */
public enum OnBadRow {
  /** The run ends before its first step; the message shows the first ones and counts all. */
  STOP,
  /** Each is counted by reason and left out. */
  SKIP
}
