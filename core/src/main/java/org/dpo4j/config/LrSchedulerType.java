package org.dpo4j.config;

import java.util.List;
import org.dpo4j.options.OptionType;

/** The values of the option {@code lr_scheduler_type}. */
public enum LrSchedulerType {
  LINEAR,
  COSINE,
  COSINE_WITH_RESTARTS,
  COSINE_WITH_MIN_LR,
  COSINE_WARMUP_WITH_MIN_LR,
  POLYNOMIAL,
  INVERSE_SQRT,
  WARMUP_STABLE_DECAY,
  CONSTANT,
  CONSTANT_WITH_WARMUP;

  /** The keys that {@code lr_scheduler_kwargs} may have. */
  List<String> settings() {
    return switch (this) {
      case LINEAR, CONSTANT, CONSTANT_WITH_WARMUP -> List.of();
      case COSINE, COSINE_WITH_RESTARTS -> List.of("num_cycles");
      case COSINE_WITH_MIN_LR -> List.of("num_cycles", "min_lr", "min_lr_rate");
      case COSINE_WARMUP_WITH_MIN_LR ->
          List.of("num_cycles", "min_lr", "min_lr_rate", "warmup_lr_rate");
      case POLYNOMIAL -> List.of("lr_end", "power");
      case INVERSE_SQRT -> List.of("timescale");
      case WARMUP_STABLE_DECAY ->
          List.of(
              "num_decay_steps",
              "num_stable_steps",
              "warmup_type",
              "decay_type",
              "min_lr_ratio",
              "num_cycles");
    };
  }

  /** Whether settings change nothing, as in transformers, which does not look at them. */
  boolean ignoresSettings() {
    return this == CONSTANT || this == CONSTANT_WITH_WARMUP;
  }

  /** The name as a user writes it. */
  String text() {
    return OptionType.text(this);
  }
}
