package org.dpo4j.weights;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.Rope;
import org.dpo4j.model.decoder.AttentionConfig.Scope;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.ExpertConfig;
import org.dpo4j.model.decoder.ExpertConfig.Modules;
import org.dpo4j.model.decoder.ExpertConfig.Storage;
import org.dpo4j.model.decoder.LayerConfig;
import org.jspecify.annotations.Nullable;

/** Families in which a router chooses a few of many MLPs for each token. */
final class ExpertFamilies {

  private static final String EXPERTS = "num_experts";
  private static final String CHOSEN = "num_experts_per_tok";
  private static final Modules MODULES = new Modules("mlp.gate", "mlp.experts");
  private static final List<String> APART =
      List.of("mlp.experts.%d.", "gate_proj", "up_proj", "down_proj");

  static final List<ModelFamily> ALL =
      List.of(
          ModelFamily.of(
              "mixtral",
              "MixtralForCausalLM",
              d -> {
                d.keyValueHeads = 8;
                d.maxPositions = 131_072;
                d.epsilon = 1e-5;
                d.theta = 1e6;
                d.key(EXPERTS, "num_local_experts");
              },
              ExpertFamilies::mixtral),
          ModelFamily.of(
              "qwen2_moe",
              "Qwen2MoeForCausalLM",
              d -> {
                d.keyValueHeads = 16;
                d.maxPositions = 32_768;
              },
              ExpertFamilies::qwen2),
          ModelFamily.of(
              "qwen3_moe",
              "Qwen3MoeForCausalLM",
              d -> {
                d.keyValueHeads = 4;
                d.maxPositions = 32_768;
                d.key(EXPERTS, "num_local_experts");
              },
              ExpertFamilies::qwen3),
          ModelFamily.of(
              "qwen3_5_moe_text",
              "Qwen3_5MoeForCausalLM",
              d -> {
                RecurrentFamilies.qwen35(d);
                d.keyValueHeads = 2;
              },
              ExpertFamilies::qwen35),
          ModelFamily.of(
              "olmoe",
              "OlmoeForCausalLM",
              d -> {
                d.fixedHeadDim = true;
                d.maxPositions = 4096;
                d.epsilon = 1e-5;
                d.padding = 1;
                d.routerLoss = 0.01;
                d.key(EXPERTS, "num_local_experts");
              },
              ExpertFamilies::olmoe),
          ModelFamily.of(
              "granitemoe",
              "GraniteMoeForCausalLM",
              d -> d.own(EXPERTS, "num_local_experts"),
              ExpertFamilies::granite),
          ModelFamily.of(
              "gpt_oss",
              "GptOssForCausalLM",
              d -> {
                d.headDim = 64;
                d.keyValueHeads = 8;
                d.maxPositions = 131_072;
                d.epsilon = 1e-5;
                d.theta = 150_000;
                d.rope =
                    """
                    {"rope_type": "yarn", "factor": 32, "beta_fast": 32, "beta_slow": 1,
                     "truncate": false, "original_max_position_embeddings": 4096}
                    """;
                d.key(EXPERTS, "num_local_experts");
              },
              ExpertFamilies::gptOss));

  private ExpertFamilies() {}

  /** The part of the settings that all share. */
  private static ExpertConfig experts(
      HuggingFaceConfig config,
      Defaults defaults,
      int count,
      int chosen,
      int width,
      String router,
      boolean renormalized,
      Modules modules,
      Storage storage,
      List<String> names) {
    config.withoutEffect("output_router_logits"); // TRL asks for them
    return new ExpertConfig(
        config.size(defaults.key(config, EXPERTS), count),
        config.size(CHOSEN, chosen),
        width,
        router,
        false,
        renormalized,
        modules,
        storage,
        names,
        config.number("router_aux_loss_coef", defaults.routerLoss),
        null,
        null);
  }

  private static List<LayerConfig> sparse(List<LayerConfig> layers) {
    return layers.stream().map(layer -> layer.withExperts(true)).toList();
  }

  private static DecoderConfig mixtral(HuggingFaceConfig config, Defaults defaults) {
    config.requireOff("router_jitter_noise");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    DecoderConfig llama = keys.llama(keys.alike(keys.rope(), keys.window(AttentionLayer.ALL)));
    return llama.with(
        d -> {
          d.layers = sparse(d.layers);
          d.experts =
              experts(
                  config,
                  defaults,
                  8,
                  2,
                  d.mlp.width(),
                  "block_sparse_moe.gate",
                  true,
                  MODULES,
                  Storage.APART,
                  List.of("block_sparse_moe.experts.%d.", "w1", "w3", "w2"));
        });
  }

  /** Which layers are sparse in Qwen's families. */
  private static List<LayerConfig> someSparse(
      HuggingFaceConfig config, Defaults defaults, List<LayerConfig> layers) {
    Set<Integer> dense = new TreeSet<>(config.tokenIds("mlp_only_layers"));
    int step = config.positiveInt("decoder_sparse_step", 1);
    boolean any = config.integer(defaults.key(config, EXPERTS), 1) != 0;
    List<LayerConfig> some = new ArrayList<>();
    for (LayerConfig layer : layers) {
      int number = some.size();
      some.add(layer.withExperts(any && !dense.contains(number) && (number + 1) % step == 0));
    }
    return some;
  }

  /** Null for a config of this type without experts. */
  private static @Nullable ExpertConfig qwenExperts(
      HuggingFaceConfig config, Defaults defaults, int count, int chosen, int width) {
    if (config.integer(defaults.key(config, EXPERTS), count) == 0) {
      config.withoutEffect("moe_intermediate_size", CHOSEN, "norm_topk_prob");
      config.withoutEffect("router_aux_loss_coef", "output_router_logits");
      return null;
    }
    return experts(
        config,
        defaults,
        count,
        chosen,
        config.size("moe_intermediate_size", width),
        "mlp.gate",
        config.flag("norm_topk_prob", false),
        MODULES,
        Storage.APART,
        APART);
  }

  private static DecoderConfig qwen3(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    config.withoutEffect("max_window_layers", DecoderKeys.LAYER_TYPES);
    int window = config.flag("use_sliding_window", false) ? keys.window(4096) : AttentionLayer.ALL;
    config.given(DecoderKeys.WINDOW);
    List<LayerConfig> layers = someSparse(config, defaults, keys.alike(keys.rope(), window));
    return LlamaFamilies.normed(config, keys.llama(layers))
        .with(d -> d.experts = qwenExperts(config, defaults, 128, 8, 768));
  }

  private static DecoderConfig qwen2(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean windows = config.flag("use_sliding_window", false);
    int upTo = (int) config.number("max_window_layers", 28);
    Rope rope = keys.rope();
    config.given(DecoderKeys.WINDOW); // 0 where it is not used
    int window = windows ? keys.window(4096) : AttentionLayer.ALL;
    boolean bias = config.flag("qkv_bias", true);
    List<LayerConfig> layers =
        keys.byType(layer -> windows && layer % 2 == 0 && layer < upTo, rope, rope, window);
    int shared = config.size("shared_expert_intermediate_size", 5632);
    return keys.llama(someSparse(config, defaults, layers))
        .with(
            d -> {
              d.attention = d.attention.withBiases(bias, false);
              ExpertConfig experts = qwenExperts(config, defaults, 60, 4, 1408);
              d.experts =
                  experts == null
                      ? null
                      : experts.withShared(
                          new ExpertConfig.Shared(
                              shared, "mlp.shared_expert.", "mlp.shared_expert_gate"));
            });
  }

  /** The weights of a token's experts always sum to 1. */
  private static DecoderConfig qwen35(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect("intermediate_size", "norm_topk_prob");
    int width = config.size("moe_intermediate_size", 512);
    int shared = config.size("shared_expert_intermediate_size", 512);
    return RecurrentFamilies.qwen35(config, defaults, width)
        .with(
            d -> {
              d.layers = sparse(d.layers);
              d.experts =
                  experts(
                          config,
                          defaults,
                          256,
                          8,
                          width,
                          "mlp.gate",
                          true,
                          MODULES,
                          Storage.APART,
                          APART)
                      .withShared(
                          new ExpertConfig.Shared(
                              shared, "mlp.shared_expert.", "mlp.shared_expert_gate"));
            });
  }

  private static DecoderConfig olmoe(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    config.withoutEffect(DecoderKeys.WINDOW);
    if (config.number("clip_qkv", 0) != 0) {
      throw config.notSupported("clip_qkv", "a model without it");
    }
    return LlamaFamilies.attentionBiased(config, keys.llama(sparse(keys.alike(keys.rope()))))
        .with(
            d -> {
              d.attention =
                  d.attention.withNorms("self_attn.q_norm", "self_attn.k_norm", Scope.ALL_HEADS);
              d.experts =
                  experts(
                      config,
                      defaults,
                      64,
                      8,
                      d.mlp.width(),
                      "mlp.gate",
                      config.flag("norm_topk_prob", false),
                      MODULES,
                      Storage.APART,
                      APART);
            });
  }

  private static DecoderConfig granite(HuggingFaceConfig config, Defaults defaults) {
    DecoderConfig granite = NormFamilies.granite(config, defaults);
    return granite.with(
        d -> {
          d.layers = sparse(d.layers);
          d.experts =
              experts(
                  config,
                  defaults,
                  8,
                  2,
                  d.mlp.width(),
                  "block_sparse_moe.router.layer",
                  true,
                  new Modules("block_sparse_moe.router", "block_sparse_moe.experts"),
                  Storage.JOINED,
                  List.of(
                      "block_sparse_moe.input_linear.weight",
                      "block_sparse_moe.output_linear.weight"));
        });
  }

  private static DecoderConfig gptOss(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect("hidden_act");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean bias = config.flag("attention_bias", true);
    Rope rope = keys.rope();
    List<LayerConfig> layers =
        keys.byType(layer -> layer % 2 == 0, rope, rope, keys.requiredWindow(128));
    double alpha = config.positiveNumber("swiglu_alpha", 1.702);
    double limit = config.positiveNumber("swiglu_limit", 7);
    return keys.llama(sparse(layers))
        .with(
            d -> {
              d.attention = d.attention.withBiases(bias, bias).withSinks("self_attn.sinks");
              d.experts =
                  experts(
                          config,
                          defaults,
                          128,
                          4,
                          d.mlp.width(),
                          "mlp.router",
                          true,
                          new Modules("mlp.router", "mlp.experts"),
                          Storage.INTERLEAVED,
                          List.of("mlp.experts.gate_up_proj", "mlp.experts.down_proj"))
                      .withClamp(new ExpertConfig.Clamp(alpha, limit));
            });
  }
}
