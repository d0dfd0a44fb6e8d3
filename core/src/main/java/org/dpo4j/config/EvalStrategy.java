package org.dpo4j.config;

/**
 * The values of the option {@code eval_strategy}: when to evaluate after the evaluation before the
 * first step.
 */
public enum EvalStrategy {
  NO,
  STEPS,
  EPOCH
}
