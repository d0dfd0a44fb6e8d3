package org.dpo4j.config;

/** The names of {@code --eval_strategy}: when to evaluate besides before the first step. */
public enum EvalStrategy {
  NO,
  STEPS,
  EPOCH
}
