package org.dpo4j.weights;

import static org.dpo4j.model.CausalLm.EmbeddingTable.NONE;
import static org.dpo4j.model.decoder.AttentionConfig.Layout.BY_HEAD;
import static org.dpo4j.model.decoder.AttentionConfig.Layout.BY_QUARTER;
import static org.dpo4j.model.decoder.AttentionConfig.Layout.JOINED;

import java.util.List;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.Rope;
import org.dpo4j.model.RopeScaling;
import org.dpo4j.model.decoder.AttentionConfig.Scope;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.LayerConfig;
import org.dpo4j.model.decoder.NormConfig;

/**
 * Families with rotary embedding that differ from Llama in more than one place: layer norms, MLPs
 * without a gate, attention beside the MLP, heads of which a part is rotated.
 */
final class LayerNormFamilies {

  private static final String BEFORE_ATTENTION = "input_layernorm";
  private static final String BEFORE_MLP = "post_attention_layernorm";

  static final List<ModelFamily> ALL =
      List.of(
          ModelFamily.of(
              "phi",
              "PhiForCausalLM",
              d -> {
                d.epsilon = 1e-5;
                d.rotated = 0.5;
                d.activation = "gelu_new";
              },
              LayerNormFamilies::phi),
          ModelFamily.of(
              "gpt_neox",
              "GPTNeoXForCausalLM",
              d -> {
                d.fixedHeadDim = true;
                d.epsilon = 1e-5;
                d.rotated = 0.25;
                d.thetaKey = "rotary_emb_base";
                d.rotatedKey = "rotary_pct";
                d.activation = "gelu";
                d.prefix = "gpt_neox.";
                d.otherHead = "embed_out.weight";
                d.buffers = "layers\\.\\d+\\.attention\\.(bias|masked_bias|rotary_emb\\.inv_freq)";
              },
              LayerNormFamilies::gptNeoX),
          ModelFamily.of(
              "stablelm",
              "StableLmForCausalLM",
              d -> {
                d.fixedHeadDim = true;
                d.keyValueHeads = 32;
                d.maxPositions = 4096;
                d.epsilon = 1e-5;
                d.rotated = 0.25;
              },
              LayerNormFamilies::stableLm),
          ModelFamily.of(
              "starcoder2",
              "Starcoder2ForCausalLM",
              d -> {
                d.keyValueHeads = 2;
                d.maxPositions = 4096;
                d.epsilon = 1e-5;
                d.activation = "gelu_pytorch_tanh";
                d.tied = true;
              },
              LayerNormFamilies::starCoder2),
          ModelFamily.of("glm", "GlmForCausalLM", LayerNormFamilies::glm, LayerNormFamilies::glm),
          ModelFamily.of(
              "glm4",
              "Glm4ForCausalLM",
              LayerNormFamilies::glm,
              (config, defaults) ->
                  glm(config, defaults)
                      .with(
                          d ->
                              d.norms =
                                  d.norms.around(
                                      BEFORE_ATTENTION,
                                      "post_self_attn_layernorm",
                                      BEFORE_MLP,
                                      "post_mlp_layernorm"))),
          ModelFamily.of(
              "cohere",
              "CohereForCausalLM",
              d -> {
                cohere(d);
                d.theta = 5e5;
              },
              LayerNormFamilies::cohere),
          ModelFamily.of(
              "cohere2",
              "Cohere2ForCausalLM",
              LayerNormFamilies::cohere,
              LayerNormFamilies::cohere2),
          ModelFamily.of(
              "nemotron",
              "NemotronForCausalLM",
              d -> {
                d.maxPositions = 4096;
                d.epsilon = 1e-5;
                d.rotated = 0.5;
                d.activation = "relu2";
              },
              LayerNormFamilies::nemotron),
          ModelFamily.of(
              "falcon",
              "FalconForCausalLM",
              d -> {
                d.fixedHeadDim = true;
                d.epsilon = 1e-5;
                d.activation = "gelu";
                d.tied = true;
                d.prefix = "transformer.";
                d.buffers = "h\\.\\d+\\.self_attention\\.rotary_emb\\.inv_freq";
                d.own("hidden_act", "activation");
              },
              LayerNormFamilies::falcon),
          ModelFamily.of(
              "gptj",
              "GPTJForCausalLM",
              d -> {
                d.fixedHeadDim = true;
                d.epsilon = 1e-5;
                d.activation = "gelu_new";
                d.prefix = "transformer.";
                d.buffers = "h\\.\\d+\\.attn\\.(bias|masked_bias)";
                d.key("hidden_size", "n_embd");
                d.key("num_hidden_layers", "n_layer");
                d.key("num_attention_heads", "n_head");
                d.key("max_position_embeddings", "n_positions");
                d.own("hidden_act", "activation_function");
              },
              LayerNormFamilies::gptJ),
          ModelFamily.of(
              "codegen",
              "CodeGenForCausalLM",
              d -> {
                d.fixedHeadDim = true;
                d.epsilon = 1e-5;
                d.activation = "gelu_new";
                d.prefix = "transformer.";
                d.buffers = "h\\.\\d+\\.attn\\.(causal_mask|embed_positions)";
                d.key("hidden_size", "n_embd");
                d.key("num_hidden_layers", "n_layer");
                d.key("num_attention_heads", "n_head");
                d.key("max_position_embeddings", "n_positions");
                d.own("hidden_act", "activation_function");
              },
              LayerNormFamilies::codeGen),
          ModelFamily.of(
              "ernie4_5",
              "Ernie4_5ForCausalLM",
              d -> {
                d.headDim = 128;
                d.keyValueHeads = 2;
                d.maxPositions = 131_072;
                d.epsilon = 1e-5;
                d.theta = 5e5;
                d.tied = true;
                d.padding = 0;
                d.interleaved = true;
              },
              LayerNormFamilies::ernie),
          ModelFamily.of(
              "persimmon",
              "PersimmonForCausalLM",
              d -> {
                d.fixedHeadDim = true;
                d.maxPositions = 16_384;
                d.epsilon = 1e-5;
                d.rotated = 0.5;
                d.activation = "relu2";
              },
              LayerNormFamilies::persimmon),
          ModelFamily.of(
              "jais2",
              "Jais2ForCausalLM",
              d -> {
                d.maxPositions = 8192;
                d.epsilon = 1e-5;
                d.activation = "relu2";
              },
              LayerNormFamilies::jais2));

  private LayerNormFamilies() {}

  /**
   * A Llama with layer norms.
   *
   * @param epsilon its key
   */
  private static DecoderConfig layerNormed(
      HuggingFaceConfig config, DecoderKeys keys, String epsilon, List<LayerConfig> layers) {
    return keys.llama(config.size(keys.key("intermediate_size")), keys.epsilon(epsilon), layers)
        .with(d -> d.norms = d.norms.withKind(NormConfig.Kind.LAYER));
  }

  private static DecoderConfig phi(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean norms = config.flag("qk_layernorm", false);
    if (norms && keys.width() != keys.hidden() / keys.heads()) {
      throw config.notSupported("qk_layernorm", "false where there is a head_dim");
    }
    return layerNormed(config, keys, "layer_norm_eps", keys.alike(keys.rope()))
        .with(
            d -> {
              d.norms =
                  d.norms
                      .before(BEFORE_ATTENTION, BEFORE_ATTENTION)
                      .withLast("model.final_layernorm");
              d.parallel = true;
              d.attention = d.attention.withBiases(true, true).withOutput("self_attn.dense", true);
              if (norms) {
                d.attention =
                    d.attention.withNorms(
                        "self_attn.q_layernorm", "self_attn.k_layernorm", Scope.HEAD);
              }
              d.mlp = d.mlp.withoutGate("mlp.fc1").withOutput("mlp.fc2").withBiases(true);
              d.head = d.head.withName("lm_head", true);
            });
  }

  private static DecoderConfig gptNeoX(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect("rope_theta", "partial_rotary_factor", "num_key_value_heads");
    config.withoutEffect("classifier_dropout");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean bias = config.flag("attention_bias", true);
    boolean parallel = config.flag("use_parallel_residual", true);
    return layerNormed(config, keys, "layer_norm_eps", keys.alike(keys.rope()))
        .with(
            d -> {
              d.embedding = d.embedding.withTable("gpt_neox.embed_in.weight").withPadding(NONE);
              d.norms = d.norms.withLast("gpt_neox.final_layer_norm");
              d.parallel = parallel;
              d.attention =
                  d.attention
                      .withKeyValueHeads(keys.heads())
                      .withInputs(BY_HEAD, bias, "attention.query_key_value")
                      .withOutput("attention.dense", bias);
              d.mlp =
                  d.mlp
                      .withoutGate("mlp.dense_h_to_4h")
                      .withOutput("mlp.dense_4h_to_h")
                      .withBiases(true);
              d.blocks = "gpt_neox.layers";
            });
  }

  private static DecoderConfig stableLm(HuggingFaceConfig config, Defaults defaults) {
    config.requireOff("qk_layernorm");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean bias = config.flag("use_qkv_bias", false);
    boolean parallel = config.flag("use_parallel_residual", false);
    return layerNormed(config, keys, "layer_norm_eps", keys.alike(keys.rope()))
        .with(
            d -> {
              d.attention = d.attention.withBiases(bias, false);
              d.parallel = parallel;
              if (parallel) {
                d.norms = d.norms.before(BEFORE_ATTENTION, BEFORE_ATTENTION);
              }
            });
  }

  private static DecoderConfig starCoder2(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect("residual_dropout", "embedding_dropout");
    config.withoutEffect("use_sliding_window", "max_window_layers");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean bias = config.flag("use_bias", true);
    return layerNormed(
            config, keys, "norm_epsilon", keys.alike(keys.rope(), keys.window(AttentionLayer.ALL)))
        .with(
            d -> {
              d.attention = d.attention.withBiases(bias, bias);
              d.mlp = d.mlp.withoutGate("mlp.c_fc").withOutput("mlp.c_proj").withBiases(bias);
            });
  }

  private static void glm(Defaults d) {
    d.headDim = 128;
    d.keyValueHeads = 2;
    d.maxPositions = 131_072;
    d.epsilon = 1.5625e-7;
    d.rotated = 0.5;
    d.interleaved = true;
    d.padding = 151_329;
  }

  private static DecoderConfig glm(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean bias = config.flag("attention_bias", true);
    return keys.llama(keys.alike(keys.rope()))
        .with(
            d -> {
              d.attention = d.attention.withBiases(bias, false);
              d.mlp = d.mlp.withJoinedGate("mlp.gate_up_proj");
            });
  }

  private static void cohere(Defaults d) {
    d.maxPositions = 8192;
    d.epsilon = 1e-5;
    d.interleaved = true;
    d.tied = true;
    d.padding = 0;
  }

  private static DecoderConfig cohere(HuggingFaceConfig config, Defaults defaults) {
    config.requireOff("use_qk_norm");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return cohere(config, keys, keys.alike(keys.rope()));
  }

  private static DecoderConfig cohere2(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect("use_qk_norm", "_sliding_window_pattern", "cache_implementation");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    int pattern = config.positiveInt("sliding_window_pattern", 4);
    return cohere(
        config,
        keys,
        keys.byType(
            layer -> (layer + 1) % pattern != 0, null, keys.rope(), keys.requiredWindow(4096)));
  }

  private static DecoderConfig cohere(
      HuggingFaceConfig config, DecoderKeys keys, List<LayerConfig> layers) {
    double scale = config.positiveNumber("logit_scale", 0.0625);
    return LlamaFamilies.attentionBiased(
            config, layerNormed(config, keys, "layer_norm_eps", layers))
        .with(
            d -> {
              d.norms =
                  d.norms
                      .withKind(NormConfig.Kind.LAYER_UNBIASED)
                      .before(BEFORE_ATTENTION, BEFORE_ATTENTION);
              d.parallel = true;
              d.head = d.head.withScale(scale);
            });
  }

  private static DecoderConfig nemotron(HuggingFaceConfig config, Defaults defaults) {
    config.size("num_key_value_heads");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return LlamaFamilies.biased(
            config, layerNormed(config, keys, "norm_eps", keys.alike(keys.rope())))
        .with(
            d -> {
              d.norms = d.norms.withKind(NormConfig.Kind.LAYER_DIFFERENCE);
              d.mlp = d.mlp.withoutGate("mlp.up_proj");
            });
  }

  private static DecoderConfig falcon(HuggingFaceConfig config, Defaults defaults) {
    config.requireOff("alibi");
    config.requireOff("n_embed");
    config.withoutEffect("n_layer", "n_head", "num_key_value_heads", "intermediate_size");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean grouped = config.flag("new_decoder_architecture", false);
    boolean parallel = config.flag("parallel_attn", true);
    boolean shared = config.flag("multi_query", true);
    int keyHeads = config.size("num_kv_heads", keys.heads());
    int norms = config.positiveInt("num_ln_in_parallel_attn", grouped ? 2 : 1);
    if (grouped && !parallel) {
      throw config.notSupported("parallel_attn", "true in the new decoder architecture");
    }
    if (norms > 2 || (!grouped && norms != 1)) {
      throw config.notSupported("num_ln_in_parallel_attn", grouped ? "1, 2" : "1");
    }
    if (!grouped && !shared && keyHeads != keys.heads()) {
      throw config.notSupported(
          "num_kv_heads", "num_attention_heads where there is no multi_query");
    }
    int keyValueHeads = grouped ? keyHeads : shared ? 1 : keys.heads();
    boolean bias = config.flag("bias", false);
    return keys.llama(
            config.size("ffn_hidden_size", 4 * keys.hidden()),
            keys.epsilon("layer_norm_epsilon"),
            keys.alike(keys.rope()))
        .with(
            d -> {
              d.embedding =
                  d.embedding.withTable("transformer.word_embeddings.weight").withPadding(NONE);
              d.norms = d.norms.withKind(NormConfig.Kind.LAYER).withLast("transformer.ln_f");
              if (norms == 2) {
                d.norms = d.norms.before("ln_attn", "ln_mlp");
              } else if (parallel) {
                d.norms = d.norms.before(BEFORE_ATTENTION, BEFORE_ATTENTION);
              }
              d.parallel = parallel;
              d.attention =
                  d.attention
                      .withKeyValueHeads(keyValueHeads)
                      .withInputs(
                          grouped || !shared ? BY_HEAD : JOINED,
                          bias,
                          "self_attention.query_key_value")
                      .withOutput("self_attention.dense", bias);
              d.mlp =
                  d.mlp
                      .withoutGate("mlp.dense_h_to_4h")
                      .withOutput("mlp.dense_4h_to_h")
                      .withBiases(bias);
              d.blocks = "transformer.h";
            });
  }

  private static DecoderConfig gptJ(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect("scale_attn_weights", "rotary", "rope_theta");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    if (config.has("rotary_dim") && !config.given("rotary_dim")) {
      throw config.notSupported("rotary_dim", "an even number");
    }
    int rotated = config.positiveInt("rotary_dim", 64);
    if (rotated > keys.width() || rotated % 2 != 0) {
      throw config.mustBe("rotary_dim", "even and at most the width of a head, " + keys.width());
    }
    Rope rope = new Rope(10_000, new RopeScaling.None(), rotated, true, null);
    String attention = "attn.";
    return keys.llama(
            config.size("n_inner", 4 * keys.hidden()),
            keys.epsilon("layer_norm_epsilon"),
            keys.alike(rope))
        .with(
            d -> {
              d.embedding = d.embedding.withTable("transformer.wte.weight").withPadding(NONE);
              d.norms =
                  d.norms
                      .withKind(NormConfig.Kind.LAYER)
                      .before("ln_1", "ln_1")
                      .withLast("transformer.ln_f");
              d.parallel = true;
              d.attention =
                  d.attention
                      .withKeyValueHeads(keys.heads())
                      .withInputs(
                          d.attention.layout(),
                          false,
                          attention + "q_proj",
                          attention + "k_proj",
                          attention + "v_proj")
                      .withOutput(attention + "out_proj", false);
              d.mlp = d.mlp.withoutGate("mlp.fc_in").withOutput("mlp.fc_out").withBiases(true);
              d.head = d.head.withName("lm_head", true);
              d.blocks = "transformer.h";
            });
  }

  /** As GPT-J with joined queries, values and keys. */
  private static DecoderConfig codeGen(HuggingFaceConfig config, Defaults defaults) {
    return gptJ(config, defaults)
        .with(d -> d.attention = d.attention.withInputs(BY_QUARTER, false, "attn.qkv_proj"));
  }

  private static DecoderConfig ernie(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect("attention_bias", "mlp_bias");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean bias = config.flag("use_bias", false);
    return keys.llama(keys.alike(keys.rope()))
        .with(
            d -> {
              d.attention = d.attention.withBiases(bias, bias);
              d.mlp = d.mlp.withBiases(bias);
            });
  }

  private static DecoderConfig persimmon(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean norms = config.flag("qk_layernorm", true);
    return layerNormed(config, keys, "layer_norm_eps", keys.alike(keys.rope()))
        .with(
            d -> {
              d.norms = d.norms.withLast("model.final_layernorm");
              d.attention =
                  d.attention
                      .withKeyValueHeads(keys.heads())
                      .withInputs(BY_HEAD, true, "self_attn.query_key_value")
                      .withOutput("self_attn.dense", true);
              if (norms) {
                d.attention =
                    d.attention.withNorms(
                        "self_attn.q_layernorm", "self_attn.k_layernorm", Scope.HEAD);
              }
              d.mlp =
                  d.mlp
                      .withoutGate("mlp.dense_h_to_4h")
                      .withOutput("mlp.dense_4h_to_h")
                      .withBiases(true);
            });
  }

  private static DecoderConfig jais2(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean attention = config.flag("attention_bias", true);
    boolean mlp = config.flag("mlp_bias", true);
    return layerNormed(config, keys, "layer_norm_eps", keys.alike(keys.rope()))
        .with(
            d -> {
              d.attention = d.attention.withBiases(attention, attention);
              d.mlp = d.mlp.withoutGate("mlp.up_proj").withBiases(mlp);
            });
  }
}
