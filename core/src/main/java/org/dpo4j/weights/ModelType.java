package org.dpo4j.weights;

import org.dpo4j.DpoException;

/** A {@code model_type} whose configs are read. */
interface ModelType {

  /** Its name in configs. */
  String modelType();

  /** The name of its class in transformers. */
  String architecture();

  /**
   * Reads a config.
   *
   * @throws DpoException if a value is wrong or not supported
   */
  ModelPlan plan(HuggingFaceConfig config);
}
