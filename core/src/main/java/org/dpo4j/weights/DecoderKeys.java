package org.dpo4j.weights;

import static org.dpo4j.model.CausalLm.EmbeddingTable.NONE;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.Rope;
import org.dpo4j.model.decoder.AttentionConfig;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.EmbeddingConfig;
import org.dpo4j.model.decoder.HeadConfig;
import org.dpo4j.model.decoder.LayerConfig;
import org.dpo4j.model.decoder.MlpConfig;
import org.dpo4j.model.decoder.NormConfig;
import org.jspecify.annotations.Nullable;

/** Reads the keys that most families share, into a Llama that a family then changes. */
final class DecoderKeys {

  static final String WINDOW = "sliding_window";
  static final String LAYER_TYPES = "layer_types";

  private final HuggingFaceConfig config;
  private final Defaults defaults;
  private final int hidden;
  private final int heads;
  private final int headDim;
  private final int positions;

  DecoderKeys(HuggingFaceConfig config, Defaults defaults) {
    this.config = config;
    this.defaults = defaults;
    hidden = config.size(key("hidden_size"));
    heads = config.size(key("num_attention_heads"));
    positions = config.positiveInt(key("max_position_embeddings"), defaults.maxPositions);
    headDim = headDim();
  }

  /** The name under which the config gives a key. */
  String key(String common) {
    return defaults.key(config, common);
  }

  int hidden() {
    return hidden;
  }

  int heads() {
    return heads;
  }

  /** Width of a head. */
  int width() {
    return headDim;
  }

  int positions() {
    return positions;
  }

  int layers() {
    return config.layers(key("num_hidden_layers"));
  }

  double epsilon(String key) {
    return config.number(key, defaults.epsilon);
  }

  /**
   * A model as Llama, without biases.
   *
   * @param layers settings of each layer
   */
  DecoderConfig llama(List<LayerConfig> layers) {
    return llama(config.size(key("intermediate_size")), epsilon("rms_norm_eps"), layers);
  }

  /** As {@link #llama(List)}, of a family with other keys for the MLP's width and for norms. */
  DecoderConfig llama(int mlpWidth, double epsilon, List<LayerConfig> layers) {
    int vocabulary = config.size("vocab_size");
    return new DecoderConfig(
        vocabulary,
        hidden,
        positions,
        new EmbeddingConfig("model.embed_tokens.weight", 1, padding(vocabulary), null),
        new NormConfig(
            NormConfig.Kind.RMS,
            epsilon,
            "input_layernorm",
            null,
            "post_attention_layernorm",
            null,
            "model.norm"),
        new AttentionConfig(
            heads,
            keyValueHeads(),
            headDim,
            AttentionConfig.Layout.SEPARATE,
            List.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            false,
            "self_attn.o_proj",
            false,
            null,
            0,
            0,
            null,
            false),
        new MlpConfig(
            mlpWidth,
            Activations.read(config, key("hidden_act"), defaults.activation),
            true,
            List.of("mlp.gate_proj", "mlp.up_proj"),
            false,
            "mlp.down_proj",
            false),
        null,
        null,
        new HeadConfig("lm_head", config.flag("tie_word_embeddings", defaults.tied), false, 1, 0),
        false,
        1,
        false,
        "model.layers",
        layers);
  }

  private int keyValueHeads() {
    String key = key("num_key_value_heads");
    boolean sameAsHeads = config.has(key) || defaults.keyValueHeads < 0;
    return config.size(key, sameAsHeads ? heads : defaults.keyValueHeads);
  }

  /**
   * A negative id counts from the end of the vocabulary, as in PyTorch. Null means none, and so
   * does an id outside the vocabulary, for which PyTorch would not build the model.
   */
  private int padding(int vocabulary) {
    String key = "pad_token_id";
    if (config.has(key) && !config.given(key)) {
      return NONE;
    }
    int id = config.integer(key, defaults.padding);
    int row = id < 0 && config.given(key) ? id + vocabulary : id;
    return row < 0 || row >= vocabulary ? NONE : row;
  }

  private int headDim() {
    if (defaults.fixedHeadDim
        && hidden % heads == 0
        && config.integer("head_dim", hidden / heads) != hidden / heads) {
      throw config.notSupported("head_dim", "hidden size divided by heads, " + hidden / heads);
    }
    boolean derived = !config.given("head_dim") && defaults.headDim == 0;
    if (derived && hidden % heads != 0) {
      throw config.mustBe(
          key("hidden_size"), "a multiple of " + key("num_attention_heads") + " (" + heads + ")");
    }
    int width = config.size("head_dim", derived ? Math.max(1, hidden / heads) : defaults.headDim);
    if ((long) heads * width > HuggingFaceConfig.LARGEST_SIZE) {
      throw config.mustBe(
          key("num_attention_heads"),
          "smaller: times head_dim (" + width + ") it is above " + HuggingFaceConfig.LARGEST_SIZE);
    }
    return width;
  }

  /** The rotary embedding of all layers that have one. */
  Rope rope() {
    return RopeSettings.read(config, defaults, positions, headDim);
  }

  /** The same with the scaling of queries that Ministral 3 has. */
  Rope ropeWithQueryScaling() {
    return rope().withQueryScaling(RopeSettings.queryScaling(config, defaults));
  }

  /** The rotary embedding of layers of a type. */
  Rope rope(String type, double theta, boolean scaled) {
    return RopeSettings.read(config, defaults, positions, headDim, type, theta, scaled);
  }

  /** The sliding window; null means none. */
  int window(int whereAbsent) {
    return config.positiveInt(WINDOW, config.has(WINDOW) ? AttentionLayer.ALL : whereAbsent);
  }

  /** The sliding window of a family that transformers cannot run without one. */
  int requiredWindow(int whereAbsent) {
    if (config.has(WINDOW) && !config.given(WINDOW)) {
      throw config.mustBe(WINDOW, "given: transformers runs no model of this type without it");
    }
    return config.positiveInt(WINDOW, whereAbsent);
  }

  /**
   * Layers with a window or without, by {@code layer_types}.
   *
   * @param otherwise whether a layer has the window, by its number, in a config without types
   * @param full rotary embedding of the layers without a window; null for none
   * @param sliding rotary embedding of the layers with a window; null for none
   */
  List<LayerConfig> byType(
      IntPredicate otherwise, @Nullable Rope full, @Nullable Rope sliding, int window) {
    List<Boolean> slides = slides(IntStream.range(0, layers()).mapToObj(otherwise::test).toList());
    List<@Nullable Rope> ropes = new ArrayList<>();
    slides.forEach(slide -> ropes.add(slide ? sliding : full));
    return layers(slides, ropes, window);
  }

  /** Layers that are all alike, with scores divided by the root of the heads' width. */
  List<LayerConfig> alike(@Nullable Rope rope) {
    return alike(rope, AttentionLayer.ALL);
  }

  /**
   * As {@link #alike(Rope)}, with a window. Layer types are not read, as in transformers for these
   * families.
   */
  List<LayerConfig> alike(@Nullable Rope rope, int window) {
    return Collections.nCopies(layers(), new LayerConfig(rope, window, 1 / Math.sqrt(headDim)));
  }

  /**
   * Layers from {@code max_window_layers} on have the window, if it is used.
   *
   * @param whereAbsent the number of layers without it
   */
  List<LayerConfig> upperWindows(int whereAbsent) {
    // Read even if unused, so that it does not count as an unknown key.
    boolean given = config.given(WINDOW);
    int window = AttentionLayer.ALL;
    if (config.flag("use_sliding_window", false)) {
      window = given ? window(AttentionLayer.ALL) : 4096;
    }
    int first = (int) config.number("max_window_layers", whereAbsent);
    List<Boolean> otherwise = new ArrayList<>();
    for (int i = 0; i < layers(); i++) {
      otherwise.add(window != AttentionLayer.ALL && i >= first);
    }
    return layers(slides(otherwise), Collections.nCopies(otherwise.size(), rope()), window);
  }

  /** Some layers have no rotary embedding; the window, if used, is on those. */
  List<LayerConfig> someWithoutRotary() {
    int count = layers();
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
    int window = window(AttentionLayer.ALL);
    boolean used = config.flag("use_sliding_window", false) && window != AttentionLayer.ALL;
    List<Boolean> otherwise = rotary.stream().limit(count).map(turns -> used && !turns).toList();
    Rope rope = rope();
    List<Rope> ropes = new ArrayList<>();
    rotary.stream().limit(count).forEach(turns -> ropes.add(turns ? rope : null));
    return layers(slides(otherwise), ropes, window);
  }

  /** Which layers have the window: by {@code layer_types}, or the family's default. */
  List<Boolean> slides(List<Boolean> otherwise) {
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

  /**
   * Layers by kind.
   *
   * @param slides which layers have the window
   * @param ropes of each layer; null for a layer without rotary embedding
   */
  List<LayerConfig> layers(List<Boolean> slides, List<? extends @Nullable Rope> ropes, int window) {
    if (window == AttentionLayer.ALL && slides.contains(true)) {
      throw config.mustBe(
          WINDOW, "given and used where \"" + LAYER_TYPES + "\" has sliding_attention");
    }
    List<LayerConfig> layers = new ArrayList<>();
    for (int i = 0; i < slides.size(); i++) {
      layers.add(
          new LayerConfig(
              ropes.get(i), slides.get(i) ? window : AttentionLayer.ALL, 1 / Math.sqrt(headDim)));
    }
    return layers;
  }
}
