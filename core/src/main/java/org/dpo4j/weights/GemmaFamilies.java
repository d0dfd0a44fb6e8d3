package org.dpo4j.weights;

import java.util.List;
import org.dpo4j.model.Activation;
import org.dpo4j.model.Rope;
import org.dpo4j.model.decoder.AttentionConfig.Scope;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.LayerConfig;
import org.dpo4j.model.decoder.NormConfig;

/** Gemma: weights of norms less 1, embeddings times the root of their width. */
final class GemmaFamilies {

  static final List<ModelFamily> ALL =
      List.of(
          ModelFamily.of(
              "gemma",
              "GemmaForCausalLM",
              d -> {
                gemma(d);
                d.keyValueHeads = 16;
                d.maxPositions = 8192;
              },
              GemmaFamilies::gemma),
          ModelFamily.of(
              "gemma3_text",
              "Gemma3ForCausalLM",
              d -> {
                gemma(d);
                d.keyValueHeads = 4;
                d.maxPositions = 131_072;
                d.theta = 1e6;
                d.own("hidden_act", "hidden_activation");
              },
              GemmaFamilies::gemma3),
          ModelFamily.of(
              "gemma2",
              "Gemma2ForCausalLM",
              GemmaFamilies::capped,
              (config, defaults) -> capped(config, defaults).with(GemmaFamilies::aroundBoth)),
          ModelFamily.of(
              "vaultgemma",
              "VaultGemmaForCausalLM",
              GemmaFamilies::capped,
              (config, defaults) ->
                  capped(config, defaults)
                      .with(
                          d ->
                              d.norms =
                                  d.norms.before("input_layernorm", "pre_feedforward_layernorm"))));

  private GemmaFamilies() {}

  private static void gemma(Defaults d) {
    d.headDim = 256;
    d.tied = true;
    d.padding = 0;
    d.activation = "gelu_pytorch_tanh";
  }

  private static void capped(Defaults d) {
    gemma(d);
    d.keyValueHeads = 4;
    d.maxPositions = 8192;
    d.own("hidden_act", "hidden_activation");
  }

  private static DecoderConfig gemma(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect("hidden_activation");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean gelu = config.text("hidden_act", defaults.activation).equals("gelu");
    return common(config, keys, keys.llama(keys.alike(keys.rope())))
        .with(
            d -> {
              if (gelu) { // transformers reads this name, and no other, as the tanh form
                d.mlp = d.mlp.withActivation(Activation.GELU_TANH);
              }
            });
  }

  private static DecoderConfig common(
      HuggingFaceConfig config, DecoderKeys keys, DecoderConfig llama) {
    config.requireOff("use_bidirectional_attention");
    return LlamaFamilies.attentionBiased(config, llama)
        .with(
            d -> {
              d.norms = d.norms.withKind(NormConfig.Kind.RMS_DIFFERENCE);
              d.embedding = d.embedding.withScale(Math.sqrt(keys.hidden()));
            });
  }

  private static DecoderConfig gemma3(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect(
        "hidden_act", "attn_logit_softcapping", "_sliding_window_pattern", "cache_implementation");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    int pattern = config.positiveInt("sliding_window_pattern", 6);
    Rope full =
        keys.rope("full_attention", config.positiveNumber("rope_theta", defaults.theta), true);
    Rope sliding =
        keys.rope("sliding_attention", config.positiveNumber("rope_local_base_freq", 1e4), false);
    List<LayerConfig> layers =
        keys.byType(layer -> (layer + 1) % pattern != 0, full, sliding, keys.requiredWindow(4096));
    double scores = config.positiveNumber("query_pre_attn_scalar", 256);
    double cap = config.number("final_logit_softcapping", 0);
    return common(config, keys, keys.llama(layers))
        .with(
            d -> {
              aroundBoth(d);
              d.attention =
                  d.attention.withNorms("self_attn.q_norm", "self_attn.k_norm", Scope.HEAD);
              d.scaleScores(1 / Math.sqrt(scores));
              d.head = d.head.withCap(cap);
            });
  }

  /** Caps of scores and logits; without the norms' places. */
  private static DecoderConfig capped(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect("hidden_act", "cache_implementation");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    Rope rope = keys.rope();
    double scores = config.positiveNumber("query_pre_attn_scalar", 256);
    double scoreCap = cap(config, "attn_logit_softcapping", 50);
    double logitCap = cap(config, "final_logit_softcapping", 30);
    List<LayerConfig> layers =
        keys.byType(layer -> layer % 2 == 0, rope, rope, keys.requiredWindow(4096));
    return common(config, keys, keys.llama(layers))
        .with(
            d -> {
              d.attention = d.attention.withCap(scoreCap);
              d.scaleScores(1 / Math.sqrt(scores));
              d.head = d.head.withCap(logitCap);
            });
  }

  /** Null means none. */
  private static double cap(HuggingFaceConfig config, String key, double whereAbsent) {
    return config.has(key) && !config.given(key) ? 0 : config.number(key, whereAbsent);
  }

  private static void aroundBoth(DecoderConfig.Draft d) {
    d.norms =
        d.norms.around(
            "input_layernorm",
            "post_attention_layernorm",
            "pre_feedforward_layernorm",
            "post_feedforward_layernorm");
  }
}
