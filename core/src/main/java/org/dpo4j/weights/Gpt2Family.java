package org.dpo4j.weights;

import org.dpo4j.DpoException;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.gpt.Gpt2;
import org.dpo4j.model.gpt.Gpt2Config;

/** Configs with {@code "model_type": "gpt2"}. */
final class Gpt2Family implements ModelFamily {

  private record Gpt2Plan(Gpt2Config config) implements Plan {

    @Override
    public WeightRules rules() {
      return WeightRules.of(
          "transformer.",
          "h\\.\\d+\\.attn\\.(bias|masked_bias)", // causal masks
          config.tiedHead(),
          "transformer.wte.weight");
    }

    @Override
    public CausalLm build(ParameterSource source) {
      return new Gpt2(config, source);
    }
  }

  @Override
  public String modelType() {
    return "gpt2";
  }

  @Override
  public Plan plan(HuggingFaceConfig config) {
    requireFlag(config, "scale_attn_weights", true);
    requireFlag(config, "scale_attn_by_inverse_layer_idx", false);
    requireFlag(config, "add_cross_attention", false);
    int hidden = config.positiveInt("n_embd");
    if (hidden > Integer.MAX_VALUE / 4) {
      throw config.mustBe("n_embd", "smaller: times 4 it is above 2^31");
    }
    try {
      return new Gpt2Plan(
          new Gpt2Config(
              config.positiveInt("vocab_size"),
              hidden,
              config.positiveInt("n_inner", 4 * hidden),
              config.positiveInt("n_layer"),
              config.positiveInt("n_head"),
              config.positiveInt("n_positions"),
              config.positiveNumber("layer_norm_epsilon", 1e-5),
              activation(config),
              config.flag("tie_word_embeddings", true)));
    } catch (IllegalArgumentException e) {
      throw new DpoException("[" + config.file() + "] " + e.getMessage(), e);
    }
  }

  private static Gpt2Config.Activation activation(HuggingFaceConfig config) {
    String key = "activation_function";
    return switch (config.text(key, "gelu_new")) {
      case "gelu_new", "gelu_pytorch_tanh" -> Gpt2Config.Activation.GELU_TANH;
      case "gelu" -> Gpt2Config.Activation.GELU;
      case "relu" -> Gpt2Config.Activation.RELU;
      default -> throw config.notSupported(key, "gelu_new, gelu_pytorch_tanh, gelu, relu");
    };
  }

  private static void requireFlag(HuggingFaceConfig config, String key, boolean value) {
    if (config.flag(key, value) != value) {
      throw config.notSupported(key, String.valueOf(value));
    }
  }
}
