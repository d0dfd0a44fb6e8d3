package org.dpo4j.config;

import org.dpo4j.optim.LearningRateSchedule;

/** The values of the option {@code lr_scheduler_type}. */
public enum LrSchedulerType {
  LINEAR,
  COSINE,
  CONSTANT,
  CONSTANT_WITH_WARMUP;

  public LearningRateSchedule.Shape shape() {
    return switch (this) {
      case LINEAR -> LearningRateSchedule.Shape.LINEAR;
      case COSINE -> LearningRateSchedule.Shape.COSINE;
      case CONSTANT -> LearningRateSchedule.Shape.CONSTANT;
      case CONSTANT_WITH_WARMUP -> LearningRateSchedule.Shape.CONSTANT_WITH_WARMUP;
    };
  }
}
