package org.dpo4j.config;

/** The values of the option {@code choose}: which completions of a prompt become pairs. */
public enum PairChoice {
  /** The best with the worst. */
  BEST_WORST,
  /** Each with each that is worse by more than the margin. */
  ALL_ABOVE_MARGIN
}
