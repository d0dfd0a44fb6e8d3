package org.dpo4j.model;

/** How the weights of a loaded model are kept in memory. Products are in fp32 in each case. */
public enum WeightStorage {
  /** All in fp32: for weights that are trained. */
  FP32,
  /** Matrices and embedding tables that the checkpoint has in 16 bits stay in 16 bits. */
  AS_STORED,
  /**
   * Matrices of linear layers in the blocks in 8 bits with a scale for each row, {@code max |w| /
   * 127}; the others as in {@link #AS_STORED}.
   */
  INT8
}
