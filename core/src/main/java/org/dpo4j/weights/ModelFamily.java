package org.dpo4j.weights;

import org.dpo4j.DpoException;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.ParameterSource;

/** Reads the configs of one {@code model_type} into plans of models. */
interface ModelFamily {

  /** The plan of a model. */
  interface Plan {

    WeightRules rules();

    CausalLm build(ParameterSource source);

    ModelShape shape();

    int maxPositions();

    /** The plan with the first blocks only. */
    Plan withLayers(int layers);

    /** The plan of a checkpoint that has no head: its embedding table stands in for it. */
    Plan withoutHead();
  }

  /** The {@code model_type} of its configs. */
  String modelType();

  /** The class name in {@code architectures}, as in transformers. */
  String architecture();

  /**
   * Reads a config.
   *
   * @throws DpoException if a value is wrong or not supported
   */
  Plan plan(HuggingFaceConfig config);
}
