package org.dpo4j.config;

import java.util.List;
import java.util.Locale;

/** The values of the option {@code judge}: how completions are scored. */
public enum JudgeType {
  REGEX,
  EXACT,
  LENGTH,
  JSON_SCHEMA,
  COMMAND,
  SCORES,
  REWARD;

  /** The options that belong to this judge alone, or to a few. */
  List<String> options() {
    return switch (this) {
      case REGEX -> List.of("pattern", "answer_column");
      case EXACT -> List.of("answer_column");
      case LENGTH -> List.of("prefer", "target_length");
      case JSON_SCHEMA -> List.of("schema");
      case COMMAND -> List.of("command");
      case SCORES -> List.of("scores_file");
      case REWARD -> List.of("reward_model");
    };
  }

  /** Whether the scores are 0 and 1. */
  boolean passesOrFails() {
    return this != LENGTH && this != SCORES && this != REWARD;
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
