package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;

/** Where a model gets its weights from while it is built. */
@FunctionalInterface
public interface ParameterSource {

  /** What a weight is for; decides initial values and weight decay. */
  enum Kind {
    /** A matrix of a linear layer. */
    MATRIX(true),
    /** A table of vectors, by token or position. */
    EMBEDDING(true),
    /** The bias of the linear layer whose matrix was taken last. */
    BIAS(false),
    /** The scale of a norm. */
    NORM(false),
    /** The shift of a norm. */
    NORM_BIAS(false);

    private final boolean decays;

    Kind(boolean decays) {
      this.decays = decays;
    }

    /** Whether weight decay applies: not to biases and norms, as in transformers. */
    public boolean decays() {
      return decays;
    }
  }

  /**
   * Returns the weight of that name. The tensor belongs to the caller, outlives all scopes and
   * shares no memory with any other.
   *
   * @param name as the model's family names it in a checkpoint
   * @param shape sizes it must have
   */
  Tensor take(String name, Kind kind, long... shape);
}
