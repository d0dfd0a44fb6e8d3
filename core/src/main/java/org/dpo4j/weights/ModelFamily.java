package org.dpo4j.weights;

import org.dpo4j.DpoException;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.ParameterSource;

/** What one {@code model_type} needs to be read: a model's plan made from its config. */
interface ModelFamily {

  /** A model that is not built yet. */
  interface Plan {

    WeightRules rules();

    CausalLm build(ParameterSource source);

    ModelShape shape();

    int maxPositions();

    /** The same with its first blocks only. */
    Plan withLayers(int layers);
  }

  /** The {@code model_type} of its configs. */
  String modelType();

  /** The class of its language models in transformers, as {@code architectures} names it. */
  String architecture();

  /**
   * Reads a config.
   *
   * @throws DpoException if a value is wrong or asks for something that is not implemented
   */
  Plan plan(HuggingFaceConfig config);
}
