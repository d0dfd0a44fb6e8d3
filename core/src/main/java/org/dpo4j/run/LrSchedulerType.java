package org.dpo4j.run;

/** The names of {@code --lr_scheduler_type}. */
public enum LrSchedulerType {
  LINEAR,
  COSINE,
  CONSTANT,
  CONSTANT_WITH_WARMUP
}
