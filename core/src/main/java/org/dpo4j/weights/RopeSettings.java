package org.dpo4j.weights;

import java.util.Optional;
import org.dpo4j.model.Rope;
import org.dpo4j.model.RopeScaling;

/**
 * The rotary embedding of a config: in {@code rope_parameters} since transformers 5, before that in
 * {@code rope_theta} and {@code rope_scaling}. If both exist, the older takes precedence, as in
 * transformers.
 */
final class RopeSettings {

  private static final String FACTOR = "factor";
  private static final String ORIGINAL = "original_max_position_embeddings";

  private final HuggingFaceConfig config;
  private final HuggingFaceConfig rope;
  private final int maxPositions;

  private RopeSettings(HuggingFaceConfig config, HuggingFaceConfig rope, int maxPositions) {
    this.config = config;
    this.rope = rope;
    this.maxPositions = maxPositions;
  }

  /**
   * Reads the settings.
   *
   * @param defaultTheta the value if the config has none
   * @param maxPositions the model's context
   * @param scalable whether the family supports types other than {@code default}
   */
  static Rope read(
      HuggingFaceConfig config, double defaultTheta, int maxPositions, boolean scalable) {
    double theta = config.positiveNumber("rope_theta", defaultTheta);
    requireWholeHeads(config);
    Optional<HuggingFaceConfig> section =
        config.section("rope_scaling").or(() -> config.section("rope_parameters"));
    if (section.isEmpty()) {
      return Rope.of(theta);
    }
    HuggingFaceConfig rope = section.get();
    for (String key : rope.sections()) {
      throw rope.notSupported(key, "one rotary embedding for all layers");
    }
    requireWholeHeads(rope);
    rope.requireOff("mrope_section");
    return new Rope(
        rope.positiveNumber("rope_theta", theta),
        new RopeSettings(config, rope, maxPositions).scaling(scalable));
  }

  private static void requireWholeHeads(HuggingFaceConfig config) {
    if (config.positiveNumber("partial_rotary_factor", 1) != 1) {
      throw config.notSupported("partial_rotary_factor", "1");
    }
  }

  private RopeScaling scaling(boolean scalable) {
    String key = rope.given("rope_type") ? "rope_type" : "type";
    String type = rope.text(key, "default");
    if (type.equals("default")) {
      return new RopeScaling.None();
    }
    if (!scalable) {
      throw rope.notSupported(key, "default");
    }
    return switch (type) {
      case "linear" -> new RopeScaling.LinearInterpolation(rope.positiveNumber(FACTOR));
      case "dynamic" -> dynamic();
      case "llama3" -> llama3();
      case "yarn" -> yarn();
      default -> throw rope.notSupported(key, "default, linear, dynamic, llama3, yarn");
    };
  }

  /** Applies only beyond {@code max_position_embeddings}, which is never exceeded here. */
  private RopeScaling dynamic() {
    rope.positiveNumber(FACTOR);
    return new RopeScaling.None();
  }

  private RopeScaling llama3() {
    double low = rope.positiveNumber("low_freq_factor");
    double high = rope.positiveNumber("high_freq_factor");
    if (high <= low) {
      throw rope.mustBe("high_freq_factor", "above low_freq_factor (" + low + ")");
    }
    return new RopeScaling.Llama3(rope.positiveNumber(FACTOR), low, high, originalPositions());
  }

  private RopeScaling yarn() {
    int original = originalPositions();
    double factor =
        rope.has(FACTOR) && !rope.given(FACTOR)
            ? (double) maxPositions / original
            : rope.positiveNumber(FACTOR);
    return new RopeScaling.Yarn(
        factor,
        orWhereZero(rope.number("beta_fast", 0), 32),
        orWhereZero(rope.number("beta_slow", 0), 1),
        rope.flag("truncate", !rope.has("truncate")),
        original,
        rope.positiveNumber("attention_factor", magnitude(factor)));
  }

  /** Peng et al. 2023, equation 22, with the two corrections that DeepSeek's configs have. */
  private double magnitude(double factor) {
    double one = rope.number("mscale", 0);
    double all = rope.number("mscale_all_dim", 0);
    return one != 0 && all != 0
        ? magnitude(factor, one) / magnitude(factor, all)
        : magnitude(factor, 1);
  }

  private static double magnitude(double factor, double scale) {
    return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
  }

  private static double orWhereZero(double value, double otherwise) {
    return value == 0 ? otherwise : value;
  }

  /** Beside the section before within it, as in transformers. */
  private int originalPositions() {
    return config.given(ORIGINAL)
        ? config.positiveInt(ORIGINAL)
        : rope.positiveInt(ORIGINAL, maxPositions);
  }
}
