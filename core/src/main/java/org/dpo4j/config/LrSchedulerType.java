package org.dpo4j.config;

import java.util.List;
import org.dpo4j.options.OptionType;

/** The values of the option {@code lr_scheduler_type}. */
public enum LrSchedulerType {
  LINEAR,
  COSINE("num_cycles"),
  COSINE_WITH_RESTARTS("num_cycles"),
  COSINE_WITH_MIN_LR("num_cycles", "min_lr", "min_lr_rate"),
  COSINE_WARMUP_WITH_MIN_LR("num_cycles", "min_lr", "min_lr_rate", "warmup_lr_rate"),
  POLYNOMIAL("lr_end", "power"),
  INVERSE_SQRT("timescale"),
  WARMUP_STABLE_DECAY(
      "num_decay_steps",
      "num_stable_steps",
      "warmup_type",
      "decay_type",
      "min_lr_ratio",
      "num_cycles"),
  CONSTANT,
  CONSTANT_WITH_WARMUP;

  private final List<String> settings;

  LrSchedulerType(String... settings) {
    this.settings = List.of(settings);
  }

  /** The keys that {@code lr_scheduler_kwargs} may have. */
  List<String> settings() {
    return settings;
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
