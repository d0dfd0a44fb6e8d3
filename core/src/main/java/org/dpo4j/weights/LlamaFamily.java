package org.dpo4j.weights;

import java.util.Optional;
import java.util.Set;
import org.dpo4j.DpoException;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.llama.Llama;
import org.dpo4j.model.llama.LlamaConfig;

/** Configs with {@code "model_type": "llama"}, of transformers 4 and 5. */
final class LlamaFamily implements ModelFamily {

  private static final double DEFAULT_ROPE_THETA = 10_000;

  private record LlamaPlan(LlamaConfig config) implements Plan {

    @Override
    public WeightRules rules() {
      return WeightRules.of(
          "model.",
          "(layers\\.\\d+\\.self_attn\\.)?rotary_emb\\.inv_freq",
          config.tiedHead(),
          "model.embed_tokens.weight");
    }

    @Override
    public CausalLm build(ParameterSource source) {
      return new Llama(config, source);
    }
  }

  @Override
  public String modelType() {
    return "llama";
  }

  @Override
  public Plan plan(HuggingFaceConfig config) {
    if (!Set.of("silu", "swish").contains(config.text("hidden_act", "silu"))) {
      throw config.notSupported("hidden_act", "silu");
    }
    int hidden = config.positiveInt("hidden_size");
    int heads = config.positiveInt("num_attention_heads");
    if (!config.given("head_dim") && hidden % heads != 0) {
      throw config.mustBe("hidden_size", "a multiple of num_attention_heads (" + heads + ")");
    }
    int headDim = config.positiveInt("head_dim", Math.max(1, hidden / heads));
    if ((long) heads * headDim > Integer.MAX_VALUE) {
      throw config.mustBe("num_attention_heads", "smaller: times head_dim it is above 2^31");
    }
    try {
      return new LlamaPlan(
          new LlamaConfig(
              config.positiveInt("vocab_size"),
              hidden,
              config.positiveInt("intermediate_size"),
              config.positiveInt("num_hidden_layers"),
              heads,
              config.positiveInt("num_key_value_heads", heads),
              headDim,
              config.positiveInt("max_position_embeddings"),
              config.positiveNumber("rms_norm_eps", 1e-6),
              ropeTheta(config),
              config.flag("tie_word_embeddings", false),
              config.flag("attention_bias", false),
              config.flag("mlp_bias", false)));
    } catch (IllegalArgumentException e) {
      throw new DpoException("[" + config.file() + "] " + e.getMessage(), e);
    }
  }

  /**
   * The base of the rotary frequencies: in {@code rope_parameters} since transformers 5, beside
   * {@code rope_scaling} before. Where both are there, the older wins, as in transformers.
   */
  private static double ropeTheta(HuggingFaceConfig config) {
    double theta = config.positiveNumber("rope_theta", DEFAULT_ROPE_THETA);
    Optional<HuggingFaceConfig> rope =
        config.section("rope_scaling").or(() -> config.section("rope_parameters"));
    requireWholeHeads(config);
    if (rope.isEmpty()) {
      return theta;
    }
    String key = rope.get().given("rope_type") ? "rope_type" : "type";
    if (!rope.get().text(key, "default").equals("default")) {
      throw rope.get().notSupported(key, "default");
    }
    requireWholeHeads(rope.get());
    return rope.get().positiveNumber("rope_theta", theta);
  }

  private static void requireWholeHeads(HuggingFaceConfig config) {
    if (config.positiveNumber("partial_rotary_factor", 1) != 1) {
      throw config.notSupported("partial_rotary_factor", "1");
    }
  }
}
