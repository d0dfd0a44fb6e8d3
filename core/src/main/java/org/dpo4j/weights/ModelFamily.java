package org.dpo4j.weights;

import static java.util.Map.entry;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.model.RopeScaling;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.LayerConfig;

/**
 * The configs of one {@code model_type}.
 *
 * @param modelType its name in configs
 * @param architecture the name of its class in transformers
 * @param defaults of absent keys
 * @param reader of the configuration; throws {@link IllegalArgumentException} for sizes that do not
 *     fit together
 */
record ModelFamily(
    String modelType,
    String architecture,
    Defaults defaults,
    BiFunction<HuggingFaceConfig, Defaults, DecoderConfig> reader)
    implements ModelType {

  /** Keys of models that are not a single stack of equal blocks. */
  private static final List<String> NOT_PLAIN =
      List.of(
          "compression_config", "is_encoder_decoder", "per_layer_config", HuggingFaceConfig.TEXT);

  /** Keys that change numbers in the families that have them, and their neutral values. */
  private static final Map<String, Double> SWITCHES =
      Map.ofEntries(
          entry("attn_logit_softcapping", 0.0),
          entry("final_logit_softcapping", 0.0),
          entry("query_pre_attn_scalar", 0.0),
          entry("num_experts", 0.0),
          entry("num_local_experts", 0.0),
          entry("n_routed_experts", 0.0),
          entry("embedding_multiplier", 1.0),
          entry("residual_multiplier", 1.0),
          entry("attention_multiplier", 0.0),
          entry("logits_scaling", 1.0),
          entry("logit_scale", 1.0),
          entry("clip_qkv", 0.0),
          entry("use_mrope", 0.0));

  /** A family whose defaults differ from Llama's. */
  static ModelFamily of(
      String modelType,
      String architecture,
      Consumer<Defaults> changes,
      BiFunction<HuggingFaceConfig, Defaults, DecoderConfig> reader) {
    Defaults defaults = new Defaults();
    changes.accept(defaults);
    return new ModelFamily(modelType, architecture, defaults, reader);
  }

  private Map<String, String> namesInFiles(String head) {
    Map<String, String> names = new HashMap<>();
    names.put(defaults.prefix, "");
    if (!defaults.otherHead.isEmpty()) {
      names.put(head, defaults.otherHead);
    }
    return names;
  }

  /** Beyond the original context LongRoPE depends on the batch, so that is the limit. */
  private static DecoderConfig withinContext(DecoderConfig config) {
    int context = config.maxPositions();
    for (LayerConfig layer : config.layers()) {
      if (layer.rope() != null && layer.rope().scaling() instanceof RopeScaling.LongRope longRope) {
        context = Math.min(context, longRope.originalPositions());
      }
    }
    int limit = context;
    return config.with(d -> d.maxPositions = limit);
  }

  @Override
  public ModelPlan plan(HuggingFaceConfig config) {
    DecoderConfig decoder = decoder(config);
    String head = decoder.head().name() + ".weight";
    return new ModelPlan(
        decoder,
        new WeightRules(
            namesInFiles(head),
            Pattern.compile(defaults.buffers),
            decoder.head().tied()
                ? Optional.of(new WeightRules.TiedHead(head, decoder.embedding().table(), false))
                : Optional.empty(),
            defaults.otherParts));
  }

  /**
   * The configuration of a model.
   *
   * @throws DpoException if a value is wrong or not supported
   */
  DecoderConfig decoder(HuggingFaceConfig config) {
    NOT_PLAIN.forEach(config::requireOff);
    if (config.has("is_causal") && !config.flag("is_causal", false)) {
      throw config.notSupported("is_causal", "true"); // a null is false there
    }
    try {
      DecoderConfig decoder = withinContext(reader.apply(config, defaults));
      SWITCHES.forEach(config::requireNeutral);
      return decoder;
    } catch (IllegalArgumentException e) {
      throw new DpoException("[" + config.file() + "] " + e.getMessage(), e);
    }
  }
}
