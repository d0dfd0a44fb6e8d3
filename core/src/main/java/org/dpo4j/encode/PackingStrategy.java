package org.dpo4j.encode;

/** How demonstrations are packed into sequences of at most {@code max_length} tokens, as in TRL. */
public enum PackingStrategy {
  /** Best fit decreasing: whole demonstrations, cut to the maximal length. */
  BFD,
  /** As {@link #BFD}; a longer demonstration becomes several instead of being cut. */
  BFD_SPLIT,
  /**
   * One stream of tokens, cut at the maximal length: a sequence may begin inside a demonstration.
   */
  WRAPPED
}
