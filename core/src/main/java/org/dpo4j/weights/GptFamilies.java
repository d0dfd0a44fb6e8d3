package org.dpo4j.weights;

import static org.dpo4j.model.CausalLm.EmbeddingTable.NONE;
import static org.dpo4j.model.decoder.AttentionConfig.Layout.BY_HEAD;
import static org.dpo4j.model.decoder.AttentionConfig.Layout.JOINED;
import static org.dpo4j.model.decoder.AttentionConfig.Layout.SEPARATE;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.EmbeddingConfig;
import org.dpo4j.model.decoder.LayerConfig;
import org.dpo4j.model.decoder.NormConfig;

/** GPT-2 and the families with learned positions. */
final class GptFamilies {

  static final List<ModelFamily> ALL =
      List.of(
          ModelFamily.of(
              "gpt2",
              "GPT2LMHeadModel",
              d -> {
                gpt(d);
                d.buffers = "h\\.\\d+\\.attn\\.(bias|masked_bias)"; // causal masks
              },
              GptFamilies::gpt2),
          ModelFamily.of(
              "gpt_bigcode",
              "GPTBigCodeForCausalLM",
              d -> {
                gpt(d);
                d.activation = "gelu_pytorch_tanh";
                d.buffers = "h\\.\\d+\\.attn\\.(bias|masked_bias)";
              },
              GptFamilies::gptBigCode),
          ModelFamily.of(
              "gpt_neo",
              "GPTNeoForCausalLM",
              d -> {
                d.fixedHeadDim = true;
                d.epsilon = 1e-5;
                d.activation = "gelu_new";
                d.tied = true;
                d.prefix = "transformer.";
                d.buffers = "h\\.\\d+\\.attn\\.attention\\.(bias|masked_bias)";
                d.key("num_hidden_layers", "num_layers");
                d.key("num_attention_heads", "num_heads");
                d.own("hidden_act", "activation_function");
              },
              GptFamilies::gptNeo),
          ModelFamily.of(
              "opt",
              "OPTForCausalLM",
              d -> {
                d.fixedHeadDim = true;
                d.activation = "relu";
                d.tied = true;
                d.padding = 1;
                d.own("intermediate_size", "ffn_dim");
                d.own("hidden_act", "activation_function");
              },
              GptFamilies::opt),
          ModelFamily.of(
              "biogpt",
              "BioGptForCausalLM",
              d -> {
                d.fixedHeadDim = true;
                d.maxPositions = 1024;
                d.activation = "gelu";
                d.tied = true;
                d.padding = 1;
                d.prefix = "biogpt.";
              },
              GptFamilies::bioGpt));

  private GptFamilies() {}

  private static void gpt(Defaults d) {
    d.fixedHeadDim = true;
    d.maxPositions = 1024;
    d.epsilon = 1e-5;
    d.activation = "gelu_new";
    d.tied = true;
    d.prefix = "transformer.";
    d.key("hidden_size", "n_embd");
    d.own("intermediate_size", "n_inner");
    d.key("num_hidden_layers", "n_layer");
    d.key("num_attention_heads", "n_head");
    d.key("max_position_embeddings", "n_positions");
    d.own("hidden_act", "activation_function");
  }

  private static DecoderConfig gpt2(HuggingFaceConfig config, Defaults defaults) {
    config.requireOff("add_cross_attention");
    config.flag("reorder_and_upcast_attn", false); // of half precision; the same in fp32
    DecoderKeys keys = new DecoderKeys(config, defaults);
    config.positiveInt(keys.key("max_position_embeddings")); // there is a row for each
    int hidden = keys.hidden();
    double scale = config.flag("scale_attn_weights", true) ? 1 / Math.sqrt(keys.width()) : 1;
    boolean byLayer = config.flag("scale_attn_by_inverse_layer_idx", false);
    List<LayerConfig> layers = new ArrayList<>();
    for (LayerConfig layer : keys.alike(null)) {
      layers.add(layer.withScale(byLayer ? scale / (layers.size() + 1) : scale));
    }
    return learned(
            keys.llama(
                config.size("n_inner", 4 * hidden), keys.epsilon("layer_norm_epsilon"), layers))
        .with(
            d -> {
              d.attention =
                  d.attention
                      .withKeyValueHeads(keys.heads())
                      .withInputs(JOINED, true, "attn.c_attn")
                      .withOutput("attn.c_proj", true);
              d.transposed = true;
            });
  }

  /** Norms, MLP and tables of GPT-2. */
  private static DecoderConfig learned(DecoderConfig llama) {
    return llama.with(
        d -> {
          d.embedding =
              new EmbeddingConfig(
                  "transformer.wte.weight",
                  1,
                  NONE, // has a gradient, whatever pad_token_id is
                  new EmbeddingConfig.Positions("transformer.wpe.weight", 0));
          d.norms =
              d.norms
                  .withKind(NormConfig.Kind.LAYER)
                  .before("ln_1", "ln_2")
                  .withLast("transformer.ln_f");
          d.mlp = d.mlp.withoutGate("mlp.c_fc").withOutput("mlp.c_proj").withBiases(true);
          d.blocks = "transformer.h";
        });
  }

  private static DecoderConfig gptBigCode(HuggingFaceConfig config, Defaults defaults) {
    config.requireOff("add_cross_attention");
    config.withoutEffect("attention_softmax_in_fp32", "scale_attention_softmax_in_fp32");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean shared = config.flag("multi_query", true);
    double scale = config.flag("scale_attn_weights", true) ? 1 / Math.sqrt(keys.width()) : 1;
    return learned(
            keys.llama(
                config.size("n_inner", 4 * keys.hidden()),
                keys.epsilon("layer_norm_epsilon"),
                keys.alike(null)))
        .with(
            d -> {
              d.attention =
                  d.attention
                      .withKeyValueHeads(shared ? 1 : keys.heads())
                      .withInputs(shared ? JOINED : BY_HEAD, true, "attn.c_attn")
                      .withOutput("attn.c_proj", true);
              d.scaleScores(scale);
            });
  }

  private static DecoderConfig gptNeo(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    config.withoutEffect("attention_layers"); // follows from attention_types
    int window = config.positiveInt("window_size", 256);
    List<Boolean> local = config.repeated("attention_types", "global", "local");
    if (local.isEmpty()) {
      local = IntStream.range(0, 24).mapToObj(layer -> layer % 2 == 1).toList();
    }
    if (local.size() != keys.layers()) {
      throw config.mustBe(
          "attention_types", "for " + keys.layers() + " layers, as many as num_layers says");
    }
    List<LayerConfig> layers =
        local.stream().map(l -> new LayerConfig(null, l ? window : AttentionLayer.ALL, 1)).toList();
    String attention = "attn.attention.";
    return learned(
            keys.llama(
                config.size("intermediate_size", 4 * keys.hidden()),
                keys.epsilon("layer_norm_epsilon"),
                layers))
        .with(
            d ->
                d.attention =
                    d.attention
                        .withKeyValueHeads(keys.heads())
                        .withInputs(
                            SEPARATE,
                            false,
                            attention + "q_proj",
                            attention + "k_proj",
                            attention + "v_proj")
                        .withOutput(attention + "out_proj", true));
  }

  private static DecoderConfig opt(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    if (!config.flag("do_layer_norm_before", true)) {
      throw config.notSupported("do_layer_norm_before", "true");
    }
    config.requireOff("_remove_final_layer_norm");
    if (config.integer("word_embed_proj_dim", keys.hidden()) != keys.hidden()) {
      throw config.notSupported("word_embed_proj_dim", "hidden_size, " + keys.hidden());
    }
    config.withoutEffect("dropout", "layerdrop", "init_std", "intermediate_size");
    boolean bias = config.flag("enable_bias", true);
    boolean weights = config.flag("layer_norm_elementwise_affine", true);
    return keys.llama(config.size("ffn_dim", 3072), 1e-5, keys.alike(null))
        .with(
            d -> {
              d.embedding =
                  new EmbeddingConfig(
                      "model.decoder.embed_tokens.weight",
                      1,
                      d.embedding.padding(),
                      new EmbeddingConfig.Positions("model.decoder.embed_positions.weight", 2));
              d.norms =
                  d.norms
                      .withKind(weights ? NormConfig.Kind.LAYER : NormConfig.Kind.LAYER_PLAIN)
                      .before("self_attn_layer_norm", "final_layer_norm")
                      .withLast("model.decoder.final_layer_norm");
              d.attention =
                  d.attention
                      .withKeyValueHeads(keys.heads())
                      .withBiases(bias, bias)
                      .withOutput("self_attn.out_proj", bias);
              d.mlp = d.mlp.withoutGate("fc1").withOutput("fc2").withBiases(bias);
              d.blocks = "model.decoder.layers";
            });
  }

  private static DecoderConfig bioGpt(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect(
        "activation_dropout",
        "attention_probs_dropout_prob",
        "hidden_dropout_prob",
        "layer_norm_eps",
        "layerdrop");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    double scale = config.flag("scale_embedding", true) ? Math.sqrt(keys.hidden()) : 1;
    return keys.llama(config.size("intermediate_size", 4096), 1e-5, keys.alike(null))
        .with(
            d -> {
              d.embedding =
                  new EmbeddingConfig(
                      "biogpt.embed_tokens.weight",
                      scale,
                      d.embedding.padding(),
                      new EmbeddingConfig.Positions("biogpt.embed_positions.weight", 2));
              d.head = d.head.withName("output_projection", false);
              d.norms =
                  d.norms
                      .withKind(NormConfig.Kind.LAYER)
                      .before("self_attn_layer_norm", "final_layer_norm")
                      .withLast("biogpt.layer_norm");
              d.attention =
                  d.attention
                      .withKeyValueHeads(keys.heads())
                      .withBiases(true, true)
                      .withOutput("self_attn.out_proj", true);
              d.mlp = d.mlp.withoutGate("fc1").withOutput("fc2").withBiases(true);
              d.blocks = "biogpt.layers";
            });
  }
}
