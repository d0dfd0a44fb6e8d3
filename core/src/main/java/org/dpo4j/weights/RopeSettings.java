package org.dpo4j.weights;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.dpo4j.model.Rope;
import org.dpo4j.model.RopeScaling;
import org.jspecify.annotations.Nullable;

/**
 * The rotary embedding of a config: in {@code rope_parameters} since transformers 5, before that in
 * {@code rope_theta} and {@code rope_scaling}. If both exist, the older takes precedence, as in
 * transformers.
 */
final class RopeSettings {

  private static final String ROTATED = "partial_rotary_factor";
  private static final String FACTOR = "factor";
  private static final String ORIGINAL = "original_max_position_embeddings";

  private final HuggingFaceConfig rope;
  private final int maxPositions;
  private final int originalBeside; // context that holds whatever the section has; 0 for none
  private final int width; // of what is rotated

  private RopeSettings(HuggingFaceConfig rope, int maxPositions, int originalBeside, int width) {
    this.rope = rope;
    this.maxPositions = maxPositions;
    this.originalBeside = originalBeside;
    this.width = width;
  }

  /**
   * Reads the settings of all layers.
   *
   * @param defaults of absent keys
   * @param maxPositions the model's context
   * @param headDim width of a head
   */
  static Rope read(HuggingFaceConfig config, Defaults defaults, int maxPositions, int headDim) {
    HuggingFaceConfig section = section(config, defaults).orElse(null);
    if (section != null) {
      for (String key : section.sections()) {
        throw section.notSupported(key, "one rotary embedding for all layers");
      }
    }
    double theta = config.positiveNumber(defaults.thetaKey, defaults.theta);
    // Beside the section before within it, as in transformers.
    int beside = config.given(ORIGINAL) ? config.positiveInt(ORIGINAL) : defaults.originalPositions;
    return read(config, section, theta, beside, defaults, maxPositions, headDim);
  }

  /**
   * Reads the settings of the layers of one type, where each type may have its own.
   *
   * @param type as in {@code layer_types}
   * @param theta base of the frequencies where the type has none
   * @param scaled whether {@code rope_scaling}, which does not name types, is of this type
   */
  static Rope read(
      HuggingFaceConfig config,
      Defaults defaults,
      int maxPositions,
      int headDim,
      String type,
      double theta,
      boolean scaled) {
    Optional<HuggingFaceConfig> all = section(config);
    boolean byType = all.isPresent() && !all.get().sections().isEmpty();
    HuggingFaceConfig section = null;
    if (byType) {
      section = all.get().section(type).orElse(null);
      if (section != null && !section.flag("truncate", true)) {
        throw section.notSupported("truncate", "true");
      }
    } else if (scaled) { // rope_parameters that name no types are not read
      section =
          config.section("rope_scaling").filter(scaling -> scaling.given("rope_type")).orElse(null);
    }
    return read(config, section, theta, 0, defaults, maxPositions, headDim);
  }

  /** The scaling of queries in the section of the rotary embedding. */
  static Rope.@Nullable QueryScaling queryScaling(HuggingFaceConfig config, Defaults defaults) {
    HuggingFaceConfig section = section(config, defaults).orElseThrow();
    section.withoutEffect("max_position_embeddings");
    double beta = section.number("llama_4_scaling_beta", 0);
    if (!section.given("llama_4_scaling_beta")) {
      throw section.mustBe("llama_4_scaling_beta", "a number that is not negative");
    }
    int original =
        config.given(ORIGINAL) ? config.positiveInt(ORIGINAL) : section.positiveInt(ORIGINAL);
    return beta == 0 ? null : new Rope.QueryScaling(beta, original);
  }

  /** The section, or that of the family where the config has none. */
  private static Optional<HuggingFaceConfig> section(HuggingFaceConfig config, Defaults defaults) {
    return section(config)
        .or(
            () ->
                defaults.rope.isEmpty()
                    ? Optional.empty()
                    : Optional.of(config.other(defaults.rope)));
  }

  /** The section, in either layout. */
  static Optional<HuggingFaceConfig> section(HuggingFaceConfig config) {
    Optional<HuggingFaceConfig> older = config.section("rope_scaling");
    if (older.isPresent()) {
      config.withoutEffect("rope_parameters");
    }
    return older.or(() -> config.section("rope_parameters"));
  }

  /**
   * Reads a section.
   *
   * @param rope null for none
   * @param beside the original context that holds whatever the section has; 0 for none
   */
  private static Rope read(
      HuggingFaceConfig config,
      @Nullable HuggingFaceConfig rope,
      double theta,
      int beside,
      Defaults defaults,
      int maxPositions,
      int headDim) {
    double rotated =
        rotated(
            config, defaults.rotatedKey, defaults, defaults.rotated == 0 ? 1 : defaults.rotated);
    if (rope == null) {
      return new Rope(
          theta, new RopeScaling.None(), width(headDim, rotated), defaults.interleaved, null);
    }
    if (defaults.severalPositions) {
      rope.withoutEffect("mrope_section", "mrope_interleaved");
    } else {
      rope.requireOff("mrope_section");
    }
    int width = width(headDim, rotated(rope, ROTATED, defaults, rotated));
    return new Rope(
        rope.positiveNumber("rope_theta", theta),
        new RopeSettings(rope, maxPositions, beside, width).scaling(defaults),
        width,
        defaults.interleaved,
        null);
  }

  private static double rotated(
      HuggingFaceConfig config, String key, Defaults defaults, double otherwise) {
    double rotated = config.positiveNumber(key, otherwise);
    if (defaults.rotated == 0 && rotated != 1) {
      throw config.notSupported(key, "1");
    }
    return rotated;
  }

  private static int width(int headDim, double rotated) {
    int width = (int) (headDim * rotated);
    if (width < 2 || width > headDim || width % 2 != 0) {
      throw new IllegalArgumentException(
          rotated == 1
              ? "head_dim must be even but was " + headDim
              : "%s must leave an even number of channels of a head, from 2 to %d, but %s leaves %d"
                  .formatted(ROTATED, headDim, rotated, width));
    }
    return width;
  }

  private RopeScaling scaling(Defaults defaults) {
    Set<String> supported = defaults.ropeTypes;
    String key = rope.given("type") && !rope.given("rope_type") ? "type" : "rope_type";
    String type = rope.text(key, "default");
    if (type.equals("mrope") && defaults.severalPositions) {
      return new RopeScaling.None();
    }
    if (!supported.isEmpty() && !supported.contains(type)) {
      throw rope.notSupported(key, String.join(", ", new TreeSet<>(supported)));
    }
    if (type.equals("su") && supported.contains(type)) { // Phi-3's first name of it
      return longRope();
    }
    return switch (type) {
      case "default" -> new RopeScaling.None();
      case "linear" -> new RopeScaling.LinearInterpolation(rope.positiveNumber(FACTOR));
      case "dynamic" -> dynamic();
      case "llama3" -> llama3();
      case "yarn" -> yarn();
      case "longrope" -> longRope();
      default -> throw rope.notSupported(key, "default, linear, dynamic, llama3, yarn, longrope");
    };
  }

  /** The factors within the original context, which is the model's context here. */
  private RopeScaling longRope() {
    int original = originalPositions();
    List<Double> divisors =
        rope.numbers("short_factor")
            .orElseThrow(() -> rope.mustBe("short_factor", "a list of numbers"));
    if (divisors.size() != width / 2) {
      throw rope.mustBe("short_factor", "of " + width / 2 + " numbers, one for two channels");
    }
    rope.numbers("long_factor"); // beyond the original context
    double factor = rope.positiveNumber(FACTOR, (double) maxPositions / original);
    double magnitude = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
    return new RopeScaling.LongRope(
        divisors, original, rope.positiveNumber("attention_factor", magnitude));
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

  private int originalPositions() {
    return originalBeside > 0 ? originalBeside : rope.positiveInt(ORIGINAL, maxPositions);
  }
}
