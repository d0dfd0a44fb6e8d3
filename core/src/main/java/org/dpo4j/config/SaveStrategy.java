package org.dpo4j.config;

/** The values of the option {@code save_strategy}: when to save a checkpoint. */
public enum SaveStrategy {
  NO,
  STEPS,
  EPOCH,
  /** After each evaluation that is better than all before. */
  BEST
}
