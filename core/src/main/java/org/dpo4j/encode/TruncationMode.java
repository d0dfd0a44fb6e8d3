package org.dpo4j.encode;

/** The values of the option {@code truncation_mode}: what of a long row remains, as in TRL. */
public enum TruncationMode {
  /** The first ids of the prompt with a completion. */
  KEEP_START,
  /** The last ids of the prompt with a completion. */
  KEEP_END
}
