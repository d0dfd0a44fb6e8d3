package org.dpo4j.weights;

import org.dpo4j.DpoException;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ModelShape;
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

    @Override
    public ModelShape shape() {
      return config.shape();
    }

    @Override
    public int maxPositions() {
      return config.maxPositions();
    }

    @Override
    public Plan withLayers(int layers) {
      return new Gpt2Plan(config.withLayers(layers));
    }

    @Override
    public Plan withoutHead() {
      return new Gpt2Plan(config.withTiedHead());
    }
  }

  @Override
  public String modelType() {
    return "gpt2";
  }

  @Override
  public String architecture() {
    return "GPT2LMHeadModel";
  }

  @Override
  public Plan plan(HuggingFaceConfig config) {
    config.requireOff("add_cross_attention");
    config.flag("reorder_and_upcast_attn", false); // of half precision; the same in fp32
    String width = alias(config, "hidden_size", "n_embd");
    int hidden = config.size(width);
    try {
      return new Gpt2Plan(
          new Gpt2Config(
              config.size("vocab_size"),
              hidden,
              config.size("n_inner", 4 * hidden),
              config.layers(alias(config, "num_hidden_layers", "n_layer")),
              config.size(alias(config, "num_attention_heads", "n_head")),
              config.positiveInt(alias(config, "max_position_embeddings", "n_positions")),
              config.positiveNumber("layer_norm_epsilon", 1e-5),
              Activations.read(config, "activation_function", "gelu_new"),
              config.flag("scale_attn_weights", true),
              config.flag("scale_attn_by_inverse_layer_idx", false),
              config.flag("tie_word_embeddings", true)));
    } catch (IllegalArgumentException e) {
      throw new DpoException("[" + config.file() + "] " + e.getMessage(), e);
    }
  }

  /** GPT-2's own key names beside the common ones; if both are given, transformers uses these. */
  private static String alias(HuggingFaceConfig config, String common, String own) {
    config.given(own); // read either way
    return config.given(common) ? common : own;
  }
}
