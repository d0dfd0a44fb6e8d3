package org.dpo4j.weights;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.dpo4j.model.Activation;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.GatedDeltaRule;
import org.dpo4j.model.decoder.AttentionConfig.Scope;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.LayerConfig;
import org.dpo4j.model.decoder.MlpConfig;
import org.dpo4j.model.decoder.NormConfig;
import org.dpo4j.model.decoder.RecurrenceConfig;

/** Families in which some layers have a recurrence in place of attention. */
final class RecurrentFamilies {

  private static final String ATTENTION = "full_attention";

  /** The text model of Qwen3.5, which also stands alone. */
  static final ModelFamily QWEN3_5_TEXT =
      ModelFamily.of(
          "qwen3_5_text",
          "Qwen3_5ForCausalLM",
          d -> {
            qwen35(d);
            d.keyValueHeads = 4;
          },
          (config, defaults) -> qwen35(config, defaults, config.size("intermediate_size")));

  static final List<ModelFamily> ALL =
      List.of(
          ModelFamily.of(
              "lfm2",
              "Lfm2ForCausalLM",
              d -> {
                d.keyValueHeads = 8;
                d.maxPositions = 128_000;
                d.epsilon = 1e-5;
                d.theta = 1e6;
                d.tied = true;
                d.padding = 0;
              },
              RecurrentFamilies::lfm2),
          QWEN3_5_TEXT);

  private RecurrentFamilies() {}

  /**
   * Layers with attention or a recurrence.
   *
   * @param attends whether each layer has attention, in a config without types
   * @param recurrent what {@code layer_types} calls the others
   */
  private static List<LayerConfig> layers(
      HuggingFaceConfig config, DecoderKeys keys, List<Boolean> attends, String recurrent) {
    List<Boolean> attention = attends;
    List<String> types = config.texts(DecoderKeys.LAYER_TYPES).orElse(null);
    if (types != null) {
      if (types.size() != attends.size()) {
        throw config.mustBe(
            DecoderKeys.LAYER_TYPES, "of num_hidden_layers (" + attends.size() + ") entries");
      }
      if (!Set.of(ATTENTION, recurrent).containsAll(types)) {
        throw config.notSupported(DecoderKeys.LAYER_TYPES, ATTENTION + ", " + recurrent);
      }
      attention = types.stream().map(ATTENTION::equals).toList();
    }
    LayerConfig attending =
        new LayerConfig(keys.rope(), AttentionLayer.ALL, 1 / Math.sqrt(keys.width()));
    return attention.stream().map(a -> a ? attending : LayerConfig.RECURRENT).toList();
  }

  private static DecoderConfig lfm2(HuggingFaceConfig config, Defaults defaults) {
    config.withoutEffect(
        "block_dim",
        "block_mlp_init_scale",
        "block_norm_eps",
        "block_out_init_scale",
        "block_use_swiglu",
        "block_use_xavier_init",
        "conv_dim",
        "conv_dim_out",
        "conv_use_xavier_init",
        "hidden_act",
        "num_heads",
        "use_pos_enc");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    List<Integer> attending = config.tokenIds("full_attn_idxs");
    boolean all = !config.given("full_attn_idxs");
    List<Boolean> attends = new ArrayList<>();
    for (int i = 0; i < keys.layers(); i++) {
      attends.add(all || attending.contains(i));
    }
    List<LayerConfig> layers = layers(config, keys, attends, "conv");
    boolean tied = config.flag("tie_embedding", config.flag("tie_word_embeddings", defaults.tied));
    boolean bias = config.flag("conv_bias", false);
    int kernel = config.size("conv_L_cache", 3);
    int width = lfm2MlpWidth(config);
    return keys.llama(width, keys.epsilon("norm_eps"), layers)
        .with(
            d -> {
              d.norms =
                  d.norms.before("operator_norm", "ffn_norm").withLast("model.embedding_norm");
              d.attention =
                  d.attention
                      .withOutput("self_attn.out_proj", false)
                      .withNorms("self_attn.q_layernorm", "self_attn.k_layernorm", Scope.HEAD);
              d.mlp =
                  new MlpConfig(
                      width,
                      Activation.SILU,
                      true,
                      List.of("feed_forward.w1", "feed_forward.w3"),
                      false,
                      "feed_forward.w2",
                      false);
              d.recurrence = new RecurrenceConfig.ShortConvolution("conv", kernel, bias);
              d.head = d.head.withTied(tied);
            });
  }

  /** Two thirds of the key's value, rounded up to a multiple, unless that is switched off. */
  private static int lfm2MlpWidth(HuggingFaceConfig config) {
    int given = config.size("intermediate_size", 12_288);
    int width = config.size("block_ff_dim", given);
    int multiple = config.size("block_multiple_of", 256);
    String factorKey = "block_ffn_dim_multiplier";
    double factor = config.positiveNumber(factorKey, 1);
    if (!config.flag("block_auto_adjust_ff_dim", true)) {
      return width;
    }
    long wanted = (long) (factor * (int) (2.0 * width / 3));
    long adjusted = (wanted + multiple - 1) / multiple * multiple;
    if (adjusted < 1 || adjusted > HuggingFaceConfig.LARGEST_SIZE) {
      throw config.mustBe(
          factorKey,
          "such that the width of the MLP is from 1 to "
              + HuggingFaceConfig.LARGEST_SIZE
              + " (it would be "
              + adjusted
              + ")");
    }
    return (int) adjusted;
  }

  static void qwen35(Defaults d) {
    d.headDim = 256;
    d.maxPositions = 32_768;
    d.rotated = 0.25;
    d.severalPositions = true;
    d.otherParts = Set.of("mtp.", "model.visual.");
  }

  /** Qwen3.5 with an MLP of a width in all layers. */
  static DecoderConfig qwen35(HuggingFaceConfig config, Defaults defaults, int mlpWidth) {
    config.withoutEffect(
        "attn_output_gate",
        "mamba_ssm_dtype",
        "mtp_num_hidden_layers",
        "mtp_use_dedicated_embeddings");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    int interval = config.positiveInt("full_attention_interval", 4);
    List<Boolean> attends = new ArrayList<>();
    for (int i = 1; i <= keys.layers(); i++) {
      attends.add(i % interval == 0);
    }
    List<LayerConfig> layers = layers(config, keys, attends, "linear_attention");
    GatedDeltaRule.Heads heads =
        new GatedDeltaRule.Heads(
            config.size("linear_num_key_heads", 16),
            config.size("linear_key_head_dim", 128),
            config.size("linear_num_value_heads", 32),
            config.size("linear_value_head_dim", 128));
    int kernel = config.size("linear_conv_kernel_dim", 4);
    boolean bias = config.flag("attention_bias", false);
    return keys.llama(mlpWidth, keys.epsilon("rms_norm_eps"), layers)
        .with(
            d -> {
              d.norms = d.norms.withKind(NormConfig.Kind.RMS_DIFFERENCE);
              d.attention =
                  d.attention
                      .withBiases(bias, bias)
                      .withNorms("self_attn.q_norm", "self_attn.k_norm", Scope.HEAD)
                      .withGates();
              d.recurrence = new RecurrenceConfig.GatedDelta("linear_attn", kernel, heads);
            });
  }
}
