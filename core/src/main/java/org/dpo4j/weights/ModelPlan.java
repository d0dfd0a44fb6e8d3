package org.dpo4j.weights;

import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.decoder.Decoder;
import org.dpo4j.model.decoder.DecoderConfig;

/**
 * A model that a config describes.
 *
 * @param config of the model
 * @param rules for the names in its weight files
 */
record ModelPlan(DecoderConfig config, WeightRules rules) {

  CausalLm build(ParameterSource source) {
    return new Decoder(config, source);
  }

  /** The plan with the first blocks only. */
  ModelPlan withLayers(int layers) {
    return new ModelPlan(config.withLayers(layers), rules);
  }

  /** The plan of a checkpoint that has no head: its embedding table stands in for it. */
  ModelPlan withoutHead() {
    return new ModelPlan(config.withTiedHead(), rules);
  }
}
