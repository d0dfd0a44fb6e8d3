package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/** Provides the weights of a model while the model is built. */
@FunctionalInterface
public interface ParameterSource {

  /** The role of a weight. It decides the initial values and weight decay. */
  enum Kind {
    /** A matrix of a linear layer. */
    MATRIX(true),
    /** The matrix of a router, or of the gate of a shared expert: it stays out of 8 bits. */
    ROUTER(true),
    /** A table with one vector per token or position. */
    EMBEDDING(true),
    /** The bias of the linear layer whose matrix was taken last. */
    BIAS(false),
    /** The scale of a norm. */
    NORM(false),
    /** The scale of a norm, less 1. */
    NORM_DIFFERENCE(false),
    /** The shift of a norm. */
    NORM_BIAS(false),
    /** The lengths of a matrix's rows, trained apart from their directions. */
    MAGNITUDES(true),
    /** Scores of attention's sinks. */
    SINKS(true),
    /** The factors of a convolution. */
    CONVOLUTION(true),
    /** Logarithms of rates of decay. */
    LOG_RATE(true);

    private final boolean decays;

    Kind(boolean decays) {
      this.decays = decays;
    }

    /** Whether weight decay applies. It does not apply to biases and norms, as in transformers. */
    public boolean decays() {
      return decays;
    }
  }

  /**
   * Returns the weight with the given name. The caller owns the tensor, which is outside all scopes
   * and shares no memory with another tensor.
   *
   * @param name as the model's family names it in a checkpoint
   * @param shape required shape
   */
  Tensor take(String name, Kind kind, long... shape);

  /** A source for a model of which only names and shapes are used. */
  static ParameterSource placeholders() {
    return (name, kind, shape) -> Tensors.placeholder(shape);
  }

  /** This source, with each weight moved to the device of a tensor. */
  default ParameterSource on(Tensor like) {
    return (name, kind, shape) -> Tensors.moved(take(name, kind, shape), like);
  }

  /**
   * The scales of a weight that was taken in 8 bits: its values are row by row the stored numbers
   * times the row's scale.
   *
   * @param weight from {@link #take}
   * @return shape (rows, 1), fp32, owned by the caller; null for a weight that has none
   */
  default @Nullable Tensor scales(Tensor weight) {
    return null;
  }
}
