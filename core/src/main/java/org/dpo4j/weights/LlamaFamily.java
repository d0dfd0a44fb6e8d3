package org.dpo4j.weights;

import static org.dpo4j.model.CausalLm.EmbeddingTable.NONE;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.dpo4j.DpoException;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.llama.Llama;
import org.dpo4j.model.llama.LlamaConfig;

/**
 * Configs of the families built as a {@link Llama}, from transformers 4 and 5. Absent keys have the
 * default of the family's config class in transformers.
 */
enum LlamaFamily implements ModelFamily {
  LLAMA(0, 0, 2048, 1e-6, 1e4, false, NONE),
  MISTRAL(8, 0, 131_072, 1e-6, 1e4, false, NONE),
  QWEN2(32, 0, 32_768, 1e-6, 1e4, false, NONE),
  QWEN3(32, 128, 32_768, 1e-6, 1e4, false, NONE),
  SMOLLM3(4, 0, 32_768, 1e-6, 2e6, true, 128_004),
  PHI3(0, 0, 4096, 1e-5, 1e4, false, 32_000);

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
      return new LlamaPlan(config.withLayers(layers));
    }

    @Override
    public Plan withoutHead() {
      return new LlamaPlan(config.withTiedHead());
    }
  }

  /** Keys of other architectures, which would change the result. */
  private static final List<String> FOREIGN =
      List.of(
          "attn_logit_softcapping",
          "final_logit_softcapping",
          "query_pre_attn_scalar",
          "num_experts",
          "num_local_experts",
          "n_routed_experts",
          "embedding_multiplier",
          "residual_multiplier",
          "attention_multiplier",
          "logits_scaling",
          "clip_qkv",
          "use_mrope");

  private static final String WINDOW = "sliding_window";
  private static final String USE_WINDOW = "use_sliding_window";
  private static final String LAYER_TYPES = "layer_types";

  // Defaults of absent keys.
  private final int keyValueHeads; // 0 for the number of query heads
  private final int headDim; // 0 for the hidden size divided by the heads
  private final int maxPositions;
  private final double rmsNormEpsilon;
  private final double ropeTheta;
  private final boolean tiedHead;
  private final int padding;

  LlamaFamily(
      int keyValueHeads,
      int headDim,
      int maxPositions,
      double rmsNormEpsilon,
      double ropeTheta,
      boolean tiedHead,
      int padding) {
    this.keyValueHeads = keyValueHeads;
    this.headDim = headDim;
    this.maxPositions = maxPositions;
    this.rmsNormEpsilon = rmsNormEpsilon;
    this.ropeTheta = ropeTheta;
    this.tiedHead = tiedHead;
    this.padding = padding;
  }

  @Override
  public String modelType() {
    return name().toLowerCase(Locale.ROOT);
  }

  @Override
  public String architecture() {
    return switch (this) {
      case LLAMA -> "LlamaForCausalLM";
      case MISTRAL -> "MistralForCausalLM";
      case QWEN2 -> "Qwen2ForCausalLM";
      case QWEN3 -> "Qwen3ForCausalLM";
      case SMOLLM3 -> "SmolLM3ForCausalLM";
      case PHI3 -> "Phi3ForCausalLM";
    };
  }

  @Override
  public Plan plan(HuggingFaceConfig config) {
    FOREIGN.forEach(config::requireOff);
    int hidden = config.size("hidden_size");
    int heads = config.size("num_attention_heads");
    int positions = config.positiveInt("max_position_embeddings", maxPositions);
    int vocabulary = config.size("vocab_size");
    try {
      return new LlamaPlan(
          new LlamaConfig(
              vocabulary,
              hidden,
              config.size("intermediate_size"),
              heads,
              keyValueHeads(config, heads),
              headWidth(config, hidden, heads),
              positions,
              config.positiveNumber("rms_norm_eps", rmsNormEpsilon),
              RopeSettings.read(config, ropeTheta, positions, this != PHI3),
              Activations.read(config, "hidden_act", "silu"),
              biases(config),
              this == QWEN3,
              this == PHI3,
              config.flag("tie_word_embeddings", tiedHead),
              padding(config, vocabulary),
              layers(config)));
    } catch (IllegalArgumentException e) {
      throw new DpoException("[" + config.file() + "] " + e.getMessage(), e);
    }
  }

  private int keyValueHeads(HuggingFaceConfig config, int heads) {
    String key = "num_key_value_heads";
    boolean sameAsHeads = config.has(key) || keyValueHeads == 0;
    return config.size(key, sameAsHeads ? heads : keyValueHeads);
  }

  /**
   * A negative id counts from the end of the vocabulary, as in PyTorch. Null means none, and so
   * does an id outside the vocabulary, for which PyTorch would not build the model.
   */
  private int padding(HuggingFaceConfig config, int vocabulary) {
    String key = "pad_token_id";
    if (config.has(key) && !config.given(key)) {
      return NONE;
    }
    int id = config.integer(key, padding);
    int row = id < 0 && config.given(key) ? id + vocabulary : id;
    return row < 0 || row >= vocabulary ? NONE : row;
  }

  private int headWidth(HuggingFaceConfig config, int hidden, int heads) {
    boolean derived = !config.given("head_dim") && headDim == 0;
    if (derived && hidden % heads != 0) {
      throw config.mustBe("hidden_size", "a multiple of num_attention_heads (" + heads + ")");
    }
    int width = config.size("head_dim", derived ? Math.max(1, hidden / heads) : headDim);
    if ((long) heads * width > HuggingFaceConfig.LARGEST_SIZE) {
      throw config.mustBe(
          "num_attention_heads",
          "smaller: times head_dim (" + width + ") it is above " + HuggingFaceConfig.LARGEST_SIZE);
    }
    return width;
  }

  private LlamaConfig.Biases biases(HuggingFaceConfig config) {
    boolean attention = config.flag("attention_bias", false);
    boolean mlp = config.flag("mlp_bias", false);
    return switch (this) {
      case LLAMA, SMOLLM3 -> new LlamaConfig.Biases(attention, attention, mlp);
      case QWEN3 -> new LlamaConfig.Biases(attention, attention, false);
      case QWEN2 -> new LlamaConfig.Biases(true, false, false);
      case MISTRAL, PHI3 -> LlamaConfig.Biases.NONE;
    };
  }

  private List<LlamaConfig.Layer> layers(HuggingFaceConfig config) {
    int count = config.layers("num_hidden_layers");
    return switch (this) {
      case LLAMA -> alike(config, count, AttentionLayer.ALL);
      case MISTRAL -> alike(config, count, window(config, 4096));
      case PHI3 -> alike(config, count, window(config, AttentionLayer.ALL));
      case QWEN2, QWEN3 -> upperWindows(config, count);
      case SMOLLM3 -> someWithoutRotary(config, count);
    };
  }

  /** The sliding window; null means none. */
  private static int window(HuggingFaceConfig config, int whereAbsent) {
    return config.positiveInt(WINDOW, config.has(WINDOW) ? AttentionLayer.ALL : whereAbsent);
  }

  /**
   * Every layer has the window; layer types, which transformers ignores for this family, must
   * agree.
   */
  private static List<LlamaConfig.Layer> alike(HuggingFaceConfig config, int count, int window) {
    List<Boolean> slides = slides(config, Collections.nCopies(count, window != AttentionLayer.ALL));
    if (slides.contains(window == AttentionLayer.ALL)) {
      throw config.notSupported(
          LAYER_TYPES, "the same for all layers, as " + WINDOW + " says for this model_type");
    }
    return Collections.nCopies(count, new LlamaConfig.Layer(true, window));
  }

  /** Layers from {@code max_window_layers} on have the window, if it is used. */
  private static List<LlamaConfig.Layer> upperWindows(HuggingFaceConfig config, int count) {
    // Read even if unused, so that it does not count as an unknown key.
    boolean given = config.given(WINDOW);
    int window = AttentionLayer.ALL;
    if (config.flag(USE_WINDOW, false)) {
      window = given ? window(config, AttentionLayer.ALL) : 4096;
    }
    int first = (int) config.number("max_window_layers", 28);
    List<Boolean> otherwise = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      otherwise.add(window != AttentionLayer.ALL && i >= first);
    }
    return layers(slides(config, otherwise), Collections.nCopies(count, true), window, config);
  }

  /** Some layers have no rotary embedding; the window, if used, is on those. */
  private static List<LlamaConfig.Layer> someWithoutRotary(HuggingFaceConfig config, int count) {
    int interval = config.positiveInt("no_rope_layer_interval", 4);
    List<Boolean> rotary =
        config
            .flags("no_rope_layers")
            .orElseGet(
                () -> {
                  List<Boolean> every = new ArrayList<>();
                  for (int i = 1; i <= count; i++) {
                    every.add(i % interval != 0);
                  }
                  return every;
                });
    if (rotary.size() < count) {
      throw config.mustBe("no_rope_layers", "of num_hidden_layers (" + count + ") entries");
    }
    int window = window(config, AttentionLayer.ALL);
    boolean used = config.flag(USE_WINDOW, false) && window != AttentionLayer.ALL;
    List<Boolean> otherwise = rotary.stream().limit(count).map(turns -> used && !turns).toList();
    return layers(slides(config, otherwise), rotary, window, config);
  }

  /** Which layers have the window: by {@code layer_types}, or the family's default. */
  private static List<Boolean> slides(HuggingFaceConfig config, List<Boolean> otherwise) {
    List<String> types = config.texts(LAYER_TYPES).orElse(null);
    if (types == null) {
      return otherwise;
    }
    if (types.size() != otherwise.size()) {
      throw config.mustBe(LAYER_TYPES, "of num_hidden_layers (" + otherwise.size() + ") entries");
    }
    List<Boolean> slides = new ArrayList<>();
    for (String type : types) {
      if (!type.equals("full_attention") && !type.equals("sliding_attention")) {
        throw config.notSupported(LAYER_TYPES, "full_attention, sliding_attention");
      }
      slides.add(type.equals("sliding_attention"));
    }
    return slides;
  }

  private static List<LlamaConfig.Layer> layers(
      List<Boolean> slides, List<Boolean> rotary, int window, HuggingFaceConfig config) {
    if (window == AttentionLayer.ALL && slides.contains(true)) {
      throw config.mustBe(
          WINDOW, "given and used where \"" + LAYER_TYPES + "\" has sliding_attention");
    }
    List<LlamaConfig.Layer> layers = new ArrayList<>();
    for (int i = 0; i < slides.size(); i++) {
      layers.add(new LlamaConfig.Layer(rotary.get(i), slides.get(i) ? window : AttentionLayer.ALL));
    }
    return layers;
  }
}
