package org.dpo4j.model;

/** A normalization over the last dimension. */
public interface Norm {
  /** Applies the norm: shape (..., width) in and out. */
  Node apply(Node input);
}
