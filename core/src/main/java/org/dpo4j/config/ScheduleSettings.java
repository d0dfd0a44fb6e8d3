package org.dpo4j.config;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.optim.LearningRateSchedule.Shape;
import org.dpo4j.optim.LearningRateSchedule.Shape.Curve;
import org.dpo4j.options.OptionType;
import org.dpo4j.options.Suggestion;
import org.jspecify.annotations.Nullable;

/**
 * The option {@code lr_scheduler_kwargs}: settings of a schedule with the names, defaults and rules
 * of transformers 5.23. What fails there is refused.
 *
 * @param type the schedule
 * @param given settings by name
 * @param learningRate the option of that name, which some settings refer to
 */
record ScheduleSettings(LrSchedulerType type, Map<String, Object> given, double learningRate) {
  private static final String OPTION = "lr_scheduler_kwargs";
  private static final double DEFAULT_END = 1e-7;
  private static final double HALF_A_WAVE = 0.5;
  private static final double LARGEST = 1e30;

  /**
   * The course that the settings describe.
   *
   * @throws UsageException if a setting is unknown, missing or wrong
   */
  Shape shape() {
    requireKnown();
    return switch (type) {
      case LINEAR -> new Shape.Linear();
      case COSINE -> new Shape.Cosine(cycles(HALF_A_WAVE), 0);
      case COSINE_WITH_RESTARTS -> new Shape.CosineWithRestarts(cycles(1));
      case COSINE_WITH_MIN_LR -> new Shape.Cosine(cycles(HALF_A_WAVE), minimum());
      case COSINE_WARMUP_WITH_MIN_LR ->
          new Shape.CosineAhead(
              cycles(HALF_A_WAVE), minimum(), number("warmup_lr_rate", "a number from 0"));
      case POLYNOMIAL -> new Shape.Polynomial(end(), number("power", "a number from 0").orElse(1));
      case INVERSE_SQRT -> new Shape.InverseSqrt(timescale());
      case WARMUP_STABLE_DECAY ->
          new Shape.WarmupStableDecay(
              steps("num_decay_steps")
                  .orElseThrow(() -> missing("num_decay_steps", "{\"num_decay_steps\": 100}")),
              steps("num_stable_steps"),
              curve("warmup_type", Curve.LINEAR),
              curve("decay_type", Curve.COSINE),
              number("min_lr_ratio", "a number from 0").orElse(0),
              cycles(HALF_A_WAVE));
      case CONSTANT -> new Shape.Constant();
      case CONSTANT_WITH_WARMUP -> new Shape.ConstantWithWarmup();
    };
  }

  /** Throws UsageException if a setting is unknown, missing or wrong. */
  void check() {
    shape();
  }

  /** What is allowed and may not be meant; options are marked ({@link OptionText}). */
  List<String> notices() {
    if (type.ignoresSettings()) {
      return given.isEmpty()
          ? List.of()
          : List.of(
              OptionText.of("{%s} has no effect with {lr_scheduler_type} %s", OPTION, type.text()));
    }
    List<String> notices = new ArrayList<>();
    Map.of("min_lr", learningRate, "min_lr_rate", 1.0, "min_lr_ratio", 1.0)
        .forEach(
            (name, peak) -> {
              if (given.get(name) instanceof Number minimum && minimum.doubleValue() > peak) {
                notices.add(
                    OptionText.of(
                        "{%s}: %s %s is above the peak, and the learning rate rises to it",
                        OPTION, name, OptionType.text(minimum)));
              }
            });
    return notices;
  }

  private void requireKnown() {
    for (String name : given.keySet()) {
      if (!type.ignoresSettings() && !type.settings().contains(name)) {
        throw new UsageException(
            OPTION,
            type.settings().isEmpty()
                ? OptionText.of("must be left out with {lr_scheduler_type} %s", type.text())
                : OptionText.of(
                    "must be settings of {lr_scheduler_type} %s: %s",
                    type.text(), String.join(", ", type.settings())),
            "has " + name,
            Suggestion.nearest(name, type.settings())
                .map("did you mean %s?"::formatted)
                .orElseGet(() -> owners(name)));
      }
    }
  }

  /** The schedules that have a setting. */
  private static String owners(String name) {
    String types =
        Arrays.stream(LrSchedulerType.values())
            .filter(type -> type.settings().contains(name))
            .map(LrSchedulerType::text)
            .collect(Collectors.joining(", "));
    return types.isEmpty() ? "" : "it is a setting of " + types;
  }

  private double cycles(double byDefault) {
    return number("num_cycles", "a number from 0").orElse(byDefault);
  }

  /** The minimum relative to the peak. */
  private double minimum() {
    OptionalDouble rate = number("min_lr", "a number from 0");
    OptionalDouble share = number("min_lr_rate", "a number from 0");
    if (rate.isPresent() && share.isPresent()) {
      throw new UsageException(
          OPTION, "must have min_lr or min_lr_rate", "has both", "leave out one of them");
    }
    if (rate.isEmpty() && share.isEmpty()) {
      throw missing("min_lr or min_lr_rate", "{\"min_lr_rate\": 0.1}");
    }
    if (rate.isPresent() && learningRate == 0) {
      throw new UsageException(
          OPTION,
          OptionText.of("needs a {learning_rate} above 0 for min_lr"),
          "it was 0",
          "pass min_lr_rate instead");
    }
    return rate.isPresent() ? rate.getAsDouble() / learningRate : share.getAsDouble();
  }

  /** The end of a polynomial decay relative to the peak. */
  private double end() {
    double end = number("lr_end", "a number from 0").orElse(DEFAULT_END);
    if (end >= learningRate) {
      throw new UsageException(
          OPTION,
          OptionText.of(
              "must have lr_end below {learning_rate}, which is %s", OptionType.text(learningRate)),
          given.containsKey("lr_end")
              ? "was " + OptionType.text(end)
              : "the default is " + OptionType.text(end),
          "pass {\"lr_end\": 0}");
    }
    return end / learningRate;
  }

  private OptionalDouble timescale() {
    String rule = "a number above 0";
    OptionalDouble timescale = number("timescale", rule);
    if (timescale.isPresent() && timescale.getAsDouble() == 0) {
      throw wrong("timescale", rule, 0, "leave it out for the steps of the warm-up");
    }
    return timescale;
  }

  private OptionalDouble number(String name, String rule) {
    @Nullable Object value = given.get(name);
    if (value == null) {
      return OptionalDouble.empty();
    }
    if (value instanceof Number number
        && number.doubleValue() >= 0
        && number.doubleValue() <= LARGEST) {
      return OptionalDouble.of(number.doubleValue());
    }
    throw wrong(name, rule, value, "");
  }

  private OptionalInt steps(String name) {
    @Nullable Object value = given.get(name);
    if (value == null) {
      return OptionalInt.empty();
    }
    if (value instanceof Long steps && steps >= 0 && steps <= Integer.MAX_VALUE) {
      return OptionalInt.of(steps.intValue());
    }
    throw wrong(name, "a whole number of steps from 0", value, "");
  }

  private Curve curve(String name, Curve byDefault) {
    @Nullable Object value = given.get(name);
    if (value == null) {
      return byDefault;
    }
    Map<String, Curve> curves =
        Map.of("linear", Curve.LINEAR, "cosine", Curve.COSINE, "1-sqrt", Curve.ONE_MINUS_SQRT);
    @Nullable Curve curve = curves.get(value);
    if (curve == null) {
      throw wrong(
          name,
          "one of linear, cosine, 1-sqrt",
          value,
          Suggestion.choice(String.valueOf(value), curves.keySet())
              .map("did you mean %s?"::formatted)
              .orElse(""));
    }
    return curve;
  }

  private UsageException missing(String what, String example) {
    return new UsageException(
        OPTION,
        OptionText.of("must have %s with {lr_scheduler_type} %s", what, type.text()),
        given.isEmpty() ? "was not given" : "has " + String.join(", ", given.keySet()),
        "pass for example " + example);
  }

  private static UsageException wrong(String name, String rule, Object value, String whatToDo) {
    return new UsageException(
        OPTION,
        "must have %s as %s".formatted(rule, name),
        "was " + OptionType.text(value),
        whatToDo);
  }
}
