package org.dpo4j.weights;

import static java.util.Map.entry;

import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.Consumer;
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
    BiFunction<HuggingFaceConfig, Defaults, DecoderConfig> reader) {

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

  private Map<String, String> otherHead(DecoderConfig decoder) {
    return defaults.otherHead.isEmpty()
        ? Map.of()
        : Map.of(decoder.head().name() + ".weight", defaults.otherHead);
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

  /**
   * Reads a config.
   *
   * @throws DpoException if a value is wrong or not supported
   */
  ModelPlan plan(HuggingFaceConfig config) {
    try {
      DecoderConfig decoder = withinContext(reader.apply(config, defaults));
      SWITCHES.forEach(config::requireNeutral);
      return new ModelPlan(
          decoder,
          WeightRules.of(
              defaults.prefix,
              defaults.buffers,
              decoder.head().tied(),
              decoder.head().name() + ".weight",
              decoder.embedding().table(),
              otherHead(decoder)));
    } catch (IllegalArgumentException e) {
      throw new DpoException("[" + config.file() + "] " + e.getMessage(), e);
    }
  }
}
