package org.dpo4j.config;

/** The values of the option {@code on_nan}: what happens at a number that is not finite. */
enum OnNan {
  /** The run ends with an error before the step changes a weight. */
  STOP,
  /** The step is skipped and counted. */
  SKIP
}
