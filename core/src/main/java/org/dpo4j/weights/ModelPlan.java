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

  /** The plan with a few of its blocks, of each kind one before all others. */
  ModelPlan withLayers(int layers) {
    return new ModelPlan(config.withLayers(layers), rules);
  }

  /** The plan of a checkpoint that has no head: its embedding table stands in for it. */
  ModelPlan withoutHead() {
    return new ModelPlan(config.withTiedHead(true), rules);
  }

  /** The plan of a checkpoint, which may have a head that its config says is the table. */
  ModelPlan of(Checkpoint checkpoint) {
    boolean own =
        rules.tied().filter(tied -> tied.yields() && differs(tied, checkpoint)).isPresent();
    return own ? new ModelPlan(config.withTiedHead(false), rules.withOwnHead()) : this;
  }

  private boolean differs(WeightRules.TiedHead tied, Checkpoint checkpoint) {
    String head = rules.namesInFiles(tied.head()).filter(checkpoint::has).findFirst().orElse("");
    String table =
        rules.namesInFiles(tied.embedding()).filter(checkpoint::has).findFirst().orElse("");
    return !head.isEmpty()
        && !table.isEmpty()
        && !checkpoint.file(head).sameBytes(head, checkpoint.file(table), table);
  }
}
