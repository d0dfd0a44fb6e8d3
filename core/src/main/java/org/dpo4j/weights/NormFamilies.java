package org.dpo4j.weights;

import static org.dpo4j.weights.LlamaFamilies.attentionBiased;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.model.Rope;
import org.dpo4j.model.RopeScaling;
import org.dpo4j.model.decoder.AttentionConfig.Scope;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.LayerConfig;
import org.dpo4j.model.decoder.NormConfig;
import org.jspecify.annotations.Nullable;

/** Families that differ from Llama in the places of norms, or in factors. */
final class NormFamilies {

  private static final String AFTER_ATTENTION = "post_attention_layernorm";
  private static final String AFTER_MLP = "post_feedforward_layernorm";
  private static final String QUERY_NORM = "self_attn.q_norm";
  private static final String KEY_NORM = "self_attn.k_norm";

  static final List<ModelFamily> ALL =
      List.of(
          ModelFamily.of("olmo", "OlmoForCausalLM", d -> d.padding = 1, NormFamilies::olmo),
          ModelFamily.of(
              "olmo2",
              "Olmo2ForCausalLM",
              d -> {
                d.padding = 1;
                d.epsilon = 1e-5;
              },
              NormFamilies::olmo2),
          ModelFamily.of(
              "olmo3",
              "Olmo3ForCausalLM",
              d -> {
                d.padding = 1;
                d.epsilon = 1e-5;
                d.theta = 5e5;
              },
              NormFamilies::olmo3),
          ModelFamily.of(
              "exaone4",
              "Exaone4ForCausalLM",
              d -> {
                d.keyValueHeads = 32;
                d.epsilon = 1e-5;
              },
              NormFamilies::exaone4),
          ModelFamily.of("granite", "GraniteForCausalLM", d -> {}, NormFamilies::granite),
          ModelFamily.of(
              "granite_swa",
              "GraniteSWAForCausalLM",
              d -> {
                d.keyValueHeads = 4;
                d.maxPositions = 8192;
                d.epsilon = 1e-5;
                d.tied = true;
              },
              NormFamilies::graniteSwa),
          ModelFamily.of(
              "granitemoehybrid",
              "GraniteMoeHybridForCausalLM",
              d -> d.key("layer_types", "layers_block_type"),
              NormFamilies::graniteHybrid),
          ModelFamily.of(
              "hyperclovax", "HyperCLOVAXForCausalLM", d -> {}, NormFamilies::hyperClovaX),
          ModelFamily.of(
              "hunyuan_v1_dense",
              "HunYuanDenseV1ForCausalLM",
              d -> {
                d.padding = 0;
                d.epsilon = 1e-5;
              },
              NormFamilies::hunYuan));

  private NormFamilies() {}

  private static DecoderConfig olmo(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    double clip = config.number("clip_qkv", 0);
    return attentionBiased(
        config,
        keys.llama(config.size(keys.key("intermediate_size")), 1e-5, keys.alike(keys.rope()))
            .with(
                d -> {
                  d.norms = d.norms.withKind(NormConfig.Kind.LAYER_PLAIN);
                  d.attention = d.attention.withClip(clip);
                }));
  }

  private static DecoderConfig olmo2(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return attentionBiased(config, afterNorms(keys.llama(keys.alike(keys.rope()))));
  }

  private static DecoderConfig afterNorms(DecoderConfig llama) {
    return llama.with(
        d -> {
          d.norms = d.norms.after(AFTER_ATTENTION, AFTER_MLP);
          d.attention = d.attention.withNorms(QUERY_NORM, KEY_NORM, Scope.ALL_HEADS);
        });
  }

  private static DecoderConfig olmo3(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    double theta = config.positiveNumber("rope_theta", defaults.theta);
    Rope full = keys.rope("full_attention", theta, true);
    // A base beside the types is that of the full layers.
    Rope sliding = keys.rope("sliding_attention", defaults.theta, false);
    return attentionBiased(
        config,
        afterNorms(
            keys.llama(
                keys.byType(
                    layer -> (layer + 1) % 4 != 0, full, sliding, keys.requiredWindow(4096)))));
  }

  private static DecoderConfig exaone4(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean windows = config.given(DecoderKeys.WINDOW) || !config.has(DecoderKeys.WINDOW);
    int pattern = 1;
    if (config.given(DecoderKeys.LAYER_TYPES)) {
      config.given("sliding_window_pattern"); // not read then
    } else if (windows) {
      pattern = config.positiveInt("sliding_window_pattern", 4);
    } else {
      throw config.mustBe(DecoderKeys.LAYER_TYPES, "given where there is no sliding_window");
    }
    int every = pattern;
    Rope rope = keys.rope();
    return keys.llama(
            keys.byType(
                layer -> (layer + 1) % every != 0, windows ? null : rope, rope, keys.window(4096)))
        .with(
            d -> {
              d.norms = d.norms.after(AFTER_ATTENTION, AFTER_MLP);
              d.attention = d.attention.withNorms(QUERY_NORM, KEY_NORM, Scope.HEAD);
            });
  }

  static DecoderConfig granite(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return multiplied(config, LlamaFamilies.biased(config, keys.llama(keys.alike(keys.rope()))));
  }

  private static DecoderConfig graniteSwa(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    List<Boolean> slides =
        keys.slides(IntStream.range(0, keys.layers()).mapToObj(i -> i % 4 != 0).toList());
    List<LayerConfig> layers =
        keys.layers(slides, ropesByLayer(config, keys), keys.requiredWindow(128));
    return multiplied(config, LlamaFamilies.biased(config, keys.llama(layers)))
        .with(d -> d.attention = d.attention.withSinks("self_attn.sinks"));
  }

  /** Each layer may have a base of its own; 0 means no rotary embedding. */
  private static List<@Nullable Rope> ropesByLayer(HuggingFaceConfig config, DecoderKeys keys) {
    String key = "layer_rope_theta";
    Rope rope = keys.rope();
    List<Double> thetas =
        config.numbers(key).orElseGet(() -> Collections.nCopies(keys.layers(), rope.theta()));
    if (thetas.size() != keys.layers()) {
      throw config.mustBe(key, "of num_hidden_layers (" + keys.layers() + ") entries");
    }
    List<@Nullable Rope> ropes = new ArrayList<>();
    for (double theta : thetas) {
      if (theta < 0) {
        throw config.mustBe(key, "a list of numbers that are not negative");
      }
      ropes.add(theta == 0 ? null : rope.withTheta(theta));
    }
    return ropes;
  }

  /** Granite's four factors. */
  private static DecoderConfig multiplied(HuggingFaceConfig config, DecoderConfig llama) {
    double scores = config.positiveNumber("attention_multiplier", 1);
    double residual = config.positiveNumber("residual_multiplier", 1);
    double embedding = config.positiveNumber("embedding_multiplier", 1);
    double logits = config.positiveNumber("logits_scaling", 1);
    return llama.with(
        d -> {
          d.scaleScores(scores);
          d.residualScale = residual;
          d.embedding = d.embedding.withScale(embedding);
          d.head = d.head.withScale(1 / logits);
        });
  }

  private static DecoderConfig graniteHybrid(HuggingFaceConfig config, Defaults defaults) {
    String types = defaults.key(config, DecoderKeys.LAYER_TYPES);
    List<String> kinds =
        config
            .texts(types)
            .orElseThrow(
                () -> config.mustBe(types, "given: without it all layers are Mamba layers"));
    if (!List.of("attention", "full_attention").containsAll(kinds)) {
      throw config.notSupported(types, "attention in all layers");
    }
    if (config.integer("num_local_experts", 8) != 0) {
      throw config.mustBe("num_local_experts", "0: a model without experts");
    }
    DecoderKeys keys = new DecoderKeys(config, defaults);
    if (kinds.size() != keys.layers()) {
      throw config.mustBe(types, "of num_hidden_layers (" + keys.layers() + ") entries");
    }
    config.withoutEffect(
        "num_experts_per_tok",
        "router_aux_loss_coef",
        "output_router_logits",
        "time_step_limit",
        "intermediate_size",
        "mamba_n_heads",
        "mamba_n_groups",
        "mamba_d_state",
        "mamba_d_head",
        "mamba_d_conv",
        "mamba_expand",
        "mamba_chunk_size",
        "mamba_conv_bias",
        "mamba_proj_bias");
    Rope rope = keys.rope();
    boolean rotary = config.text("position_embedding_type", "nope").equals("rope");
    DecoderConfig llama =
        keys.llama(
                config.size("shared_intermediate_size", 1024),
                keys.epsilon("rms_norm_eps"),
                keys.alike(rotary ? rope : null))
            .with(
                d ->
                    d.mlp =
                        d.mlp
                            .withJoinedGate("shared_mlp.input_linear")
                            .withOutput("shared_mlp.output_linear"));
    return multiplied(config, attentionBiased(config, llama));
  }

  private static DecoderConfig hyperClovaX(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    double logits = config.positiveNumber("logits_scaling", 1);
    double scores = config.positiveNumber("attention_multiplier", 1 / Math.sqrt(keys.width()));
    boolean after = config.flag("use_post_norm", true);
    return multiplied(config, LlamaFamilies.biased(config, keys.llama(keys.alike(keys.rope()))))
        .with(
            d -> {
              d.scaleScores(scores);
              d.head = d.head.withScale(logits);
              if (after) {
                d.norms =
                    d.norms.around(
                        "input_layernorm", "post_norm1", "post_attention_layernorm", "post_norm2");
              }
            });
  }

  private static DecoderConfig hunYuan(HuggingFaceConfig config, Defaults defaults) {
    int headDim = config.size("head_dim");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    config.withoutEffect("eod_token_id");
    Rope rope = keys.rope();
    double alpha =
        config
            .section("rope_scaling")
            .or(() -> config.section("rope_parameters"))
            .filter(
                section -> section.text("rope_type", section.text("type", "")).equals("dynamic"))
            .map(section -> section.number("alpha", 0))
            .orElse(0.0);
    Rope turned =
        alpha == 0
            ? rope
            : new Rope(
                rope.theta() * Math.pow(alpha, headDim / (headDim - 2.0)),
                new RopeScaling.None(),
                rope.width(),
                false,
                null);
    return attentionBiased(config, keys.llama(keys.alike(turned)))
        .with(
            d ->
                d.attention =
                    d.attention.withNorms(
                        "self_attn.query_layernorm",
                        "self_attn.key_layernorm",
                        Scope.ROTATED_HEAD));
  }
}
