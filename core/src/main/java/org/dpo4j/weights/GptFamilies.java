package org.dpo4j.weights;

import static org.dpo4j.model.decoder.AttentionConfig.Layout.JOINED;

import java.util.ArrayList;
import java.util.List;
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
              GptFamilies::gpt2));

  private GptFamilies() {}

  private static void gpt(Defaults d) {
    d.maxPositions = 1024;
    d.epsilon = 1e-5;
    d.activation = "gelu_new";
    d.tied = true;
    d.prefix = "transformer.";
    d.key("hidden_size", "n_embd");
    d.key("intermediate_size", "n_inner");
    d.key("num_hidden_layers", "n_layer");
    d.key("num_attention_heads", "n_head");
    d.key("max_position_embeddings", "n_positions");
    d.key("hidden_act", "activation_function");
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
    return keys.llama(
            config.size("n_inner", 4 * hidden), keys.epsilon("layer_norm_epsilon"), layers)
        .with(
            d -> {
              d.embedding =
                  new EmbeddingConfig(
                      "transformer.wte.weight",
                      1,
                      -1, // has a gradient, whatever pad_token_id is
                      new EmbeddingConfig.Positions("transformer.wpe.weight", 0));
              d.norms =
                  d.norms
                      .withKind(NormConfig.Kind.LAYER)
                      .before("ln_1", "ln_2")
                      .withLast("transformer.ln_f");
              d.attention =
                  d.attention
                      .withInputs(JOINED, true, "attn.c_attn")
                      .withOutput("attn.c_proj", true);
              d.mlp = d.mlp.withoutGate("mlp.c_fc").withOutput("mlp.c_proj").withBiases(true);
              d.transposed = true;
              d.blocks = "transformer.h";
            });
  }
}
