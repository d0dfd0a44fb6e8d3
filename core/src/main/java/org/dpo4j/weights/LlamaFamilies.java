package org.dpo4j.weights;

import static org.dpo4j.model.decoder.AttentionConfig.Layout.JOINED;

import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.Rope;
import org.dpo4j.model.decoder.AttentionConfig.Scope;
import org.dpo4j.model.decoder.DecoderConfig;

/** Llama and the families that differ from it in biases, windows, norms of heads and names. */
final class LlamaFamilies {

  private static final String MINISTRAL3_ROPE =
      """
      {"rope_type": "yarn", "rope_theta": 1e6, "factor": 16,
       "original_max_position_embeddings": 16384, "mscale": 1, "mscale_all_dim": 1,
       "llama_4_scaling_beta": 0.1}
      """;

  private static final String CWM_ROPE =
      """
      {"rope_type": "llama3", "rope_theta": 1e6, "factor": 16, "low_freq_factor": 1,
       "high_freq_factor": 4, "original_max_position_embeddings": 8192}
      """;

  static final List<ModelFamily> ALL =
      List.of(
          ModelFamily.of("llama", "LlamaForCausalLM", d -> {}, LlamaFamilies::llama),
          ModelFamily.of(
              "mistral",
              "MistralForCausalLM",
              d -> {
                d.keyValueHeads = 8;
                d.maxPositions = 131_072;
              },
              LlamaFamilies::mistral),
          ModelFamily.of("qwen2", "Qwen2ForCausalLM", LlamaFamilies::qwen, LlamaFamilies::qwen2),
          ModelFamily.of(
              "qwen3",
              "Qwen3ForCausalLM",
              d -> {
                qwen(d);
                d.headDim = 128;
              },
              LlamaFamilies::qwen3),
          ModelFamily.of(
              "smollm3",
              "SmolLM3ForCausalLM",
              d -> {
                d.keyValueHeads = 4;
                d.maxPositions = 32_768;
                d.theta = 2e6;
                d.tied = true;
                d.padding = 128_004;
              },
              LlamaFamilies::smolLm3),
          ModelFamily.of(
              "phi3",
              "Phi3ForCausalLM",
              d -> {
                d.maxPositions = 4096;
                d.epsilon = 1e-5;
                d.padding = 32_000;
                d.rotated = 1;
                d.ropeTypes = Set.of("default", "longrope", "su");
                d.originalPositions = 4096;
              },
              LlamaFamilies::phi3),
          ModelFamily.of(
              "internlm3",
              "LlamaForCausalLM",
              d -> {
                d.headDim = 128;
                d.keyValueHeads = 2;
                d.epsilon = 1e-5;
                d.padding = 2;
                d.maxPositions = 32_768;
                d.key("attention_bias", "qkv_bias");
                d.key("mlp_bias", "bias");
              },
              LlamaFamilies::internLm3),
          ModelFamily.of(
              "iquestcoder",
              "LlamaForCausalLM",
              d -> {
                d.headDim = 128;
                d.keyValueHeads = 8;
                d.epsilon = 1e-5;
                d.maxPositions = 131_072;
              },
              LlamaFamilies::iQuestCoder),
          ModelFamily.of(
              "seed_oss",
              "SeedOssForCausalLM",
              d -> {
                d.headDim = 128;
                d.keyValueHeads = 8;
                d.padding = 1;
                d.maxPositions = 524_288;
              },
              LlamaFamilies::seedOss),
          ModelFamily.of(
              "ministral",
              "MinistralForCausalLM",
              d -> {
                d.keyValueHeads = 8;
                d.maxPositions = 131_072;
              },
              LlamaFamilies::ministral),
          ModelFamily.of(
              "ministral3",
              "Ministral3ForCausalLM",
              d -> {
                d.headDim = 128;
                d.keyValueHeads = 8;
                d.epsilon = 1e-5;
                d.padding = 11;
                d.maxPositions = 262_144;
                d.rope = MINISTRAL3_ROPE;
              },
              LlamaFamilies::ministral3),
          ModelFamily.of(
              "cwm",
              "CwmForCausalLM",
              d -> {
                d.headDim = 128;
                d.keyValueHeads = 8;
                d.epsilon = 1e-5;
                d.theta = 1e6;
                d.maxPositions = 131_072;
                d.rope = CWM_ROPE;
              },
              LlamaFamilies::cwm),
          ModelFamily.of(
              "arcee",
              "ArceeForCausalLM",
              d -> {
                d.epsilon = 1e-5;
                d.maxPositions = 4096;
                d.activation = "relu2";
              },
              LlamaFamilies::arcee),
          ModelFamily.of(
              "helium",
              "HeliumForCausalLM",
              d -> {
                d.headDim = 128;
                d.keyValueHeads = 20;
                d.epsilon = 1e-8;
                d.theta = 1e5;
                d.padding = 3;
                d.maxPositions = 4096;
                d.interleaved = true;
              },
              LlamaFamilies::helium));

  /** The text model of Qwen2-VL and Qwen2.5-VL. */
  static final ModelFamily QWEN2_VL_TEXT =
      ModelFamily.of(
          "qwen2_vl_text",
          "Qwen2VLTextModel",
          d -> {
            d.fixedHeadDim = true;
            d.keyValueHeads = 8;
            d.maxPositions = 32_768;
            d.epsilon = 1e-5;
            d.theta = 1e6;
            d.severalPositions = true;
          },
          LlamaFamilies::qwen2Vl);

  /** The text model of Qwen3-VL. */
  static final ModelFamily QWEN3_VL_TEXT =
      ModelFamily.of(
          "qwen3_vl_text",
          "Qwen3VLTextModel",
          d -> {
            d.headDim = 128;
            d.keyValueHeads = 32;
            d.maxPositions = 128_000;
            d.theta = 5e5;
            d.severalPositions = true;
          },
          LlamaFamilies::qwen3Vl);

  private LlamaFamilies() {}

  private static void qwen(Defaults d) {
    d.keyValueHeads = 32;
    d.maxPositions = 32_768;
  }

  static DecoderConfig llama(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return biased(config, keys.llama(keys.alike(keys.rope())));
  }

  /** Biases by {@code attention_bias} and {@code mlp_bias}. */
  static DecoderConfig biased(HuggingFaceConfig config, DecoderConfig llama) {
    boolean mlp = config.flag("mlp_bias", false);
    return attentionBiased(config, llama).with(d -> d.mlp = d.mlp.withBiases(mlp));
  }

  /** Biases of all projections of attention by {@code attention_bias}. */
  static DecoderConfig attentionBiased(HuggingFaceConfig config, DecoderConfig llama) {
    boolean bias = config.flag("attention_bias", false);
    return llama.with(d -> d.attention = d.attention.withBiases(bias, bias));
  }

  private static DecoderConfig mistral(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    int window = keys.window(4096);
    boolean slides = window != AttentionLayer.ALL;
    // The class that is named ignores layer types, and AutoModel would build another one.
    if (!config.architecture().isEmpty()
        && keys.slides(Collections.nCopies(keys.layers(), slides)).contains(!slides)) {
      throw config.notSupported(
          DecoderKeys.LAYER_TYPES,
          "the same for all layers, as sliding_window says, where architectures names"
              + " MistralForCausalLM");
    }
    return keys.llama(keys.alike(keys.rope(), window));
  }

  private static DecoderConfig qwen2(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return keys.llama(keys.upperWindows(28))
        .with(d -> d.attention = d.attention.withBiases(true, false));
  }

  private static DecoderConfig qwen2Vl(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    double sections =
        RopeSettings.section(config)
            .flatMap(rope -> rope.numbers("mrope_section"))
            .orElse(List.of(16.0, 24.0, 24.0))
            .stream()
            .mapToDouble(Double::doubleValue)
            .sum();
    if (2 * sections != keys.width()) {
      throw new IllegalArgumentException(
          "\"mrope_section\" must have the sum %d, half of the width of a head, but that is %.0f"
              .formatted(keys.width() / 2, sections));
    }
    return keys.llama(keys.upperWindows(80))
        .with(d -> d.attention = d.attention.withBiases(true, false));
  }

  private static DecoderConfig qwen3(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return normed(config, keys.llama(keys.upperWindows(28)));
  }

  private static DecoderConfig qwen3Vl(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return normed(config, keys.llama(keys.alike(keys.rope())));
  }

  /** Biases by {@code attention_bias}, and norms of each head. */
  static DecoderConfig normed(HuggingFaceConfig config, DecoderConfig llama) {
    return attentionBiased(config, llama)
        .with(
            d ->
                d.attention =
                    d.attention.withNorms("self_attn.q_norm", "self_attn.k_norm", Scope.HEAD));
  }

  private static DecoderConfig smolLm3(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return biased(config, keys.llama(keys.someWithoutRotary()));
  }

  private static DecoderConfig phi3(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return keys.llama(keys.alike(keys.rope(), keys.window(AttentionLayer.ALL)))
        .with(
            d -> {
              d.attention = d.attention.withInputs(JOINED, false, "self_attn.qkv_proj");
              d.mlp = d.mlp.withJoinedGate("mlp.gate_up_proj");
            });
  }

  private static DecoderConfig internLm3(HuggingFaceConfig config, Defaults defaults) {
    String attention = defaults.key(config, "attention_bias");
    String mlp = defaults.key(config, "mlp_bias");
    boolean bias = config.flag(attention, false);
    if (config.flag(mlp, false) != bias) {
      throw config.mustBe(mlp, "equal to " + attention);
    }
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return keys.llama(keys.alike(keys.rope()))
        .with(
            d -> {
              d.attention = d.attention.withBiases(bias, bias);
              d.mlp = d.mlp.withBiases(bias);
            });
  }

  private static DecoderConfig iQuestCoder(HuggingFaceConfig config, Defaults defaults) {
    config.requireOff("clip_qkv");
    config.requireOff("use_sliding_window");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return biased(config, keys.llama(keys.alike(keys.rope())));
  }

  private static DecoderConfig seedOss(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    boolean inputs = config.flag("attention_bias", true);
    boolean output = config.flag("attention_out_bias", false);
    boolean mlp = config.flag("mlp_bias", false);
    config.given("residual_dropout"); // without dropout here
    return keys.llama(keys.alike(keys.rope()))
        .with(
            d -> {
              d.attention = d.attention.withBiases(inputs, output);
              d.mlp = d.mlp.withBiases(mlp);
            });
  }

  private static DecoderConfig ministral(HuggingFaceConfig config, Defaults defaults) {
    config.size("head_dim");
    DecoderKeys keys = new DecoderKeys(config, defaults);
    Rope rope = keys.rope();
    return keys.llama(keys.byType(layer -> true, rope, rope, keys.requiredWindow(4096)));
  }

  private static DecoderConfig ministral3(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    config.given(DecoderKeys.LAYER_TYPES); // not read there either
    Rope rope = keys.ropeWithQueryScaling();
    return keys.llama(keys.alike(rope, keys.window(AttentionLayer.ALL)));
  }

  private static DecoderConfig cwm(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    Rope rope = keys.rope();
    boolean mlp = config.flag("mlp_bias", false);
    return keys.llama(keys.byType(layer -> layer % 4 != 0, rope, rope, keys.requiredWindow(8192)))
        .with(d -> d.mlp = d.mlp.withBiases(mlp));
  }

  private static DecoderConfig arcee(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    return biased(config, keys.llama(keys.alike(keys.rope())))
        .with(d -> d.mlp = d.mlp.withoutGate("mlp.up_proj"));
  }

  private static DecoderConfig helium(HuggingFaceConfig config, Defaults defaults) {
    DecoderKeys keys = new DecoderKeys(config, defaults);
    if (keys.heads() * keys.width() != keys.hidden()) {
      throw config.mustBe("head_dim", "hidden_size divided by num_attention_heads");
    }
    return biased(config, keys.llama(keys.alike(keys.rope())))
        .with(d -> d.attention = d.attention.withOutput("self_attn.o_proj", false));
  }
}
