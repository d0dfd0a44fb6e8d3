package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;

/**
 * Computes attention and decides which tokens attend to which. Models pass queries, keys and values
 * and do not depend on the layout of a batch's sequences in memory.
 */
@FunctionalInterface
interface Attention {

  /**
   * Scaled dot-product attention of one layer.
   *
   * @param layer index, scale and window of the layer
   * @param query shape (tokens, heads, headDim)
   * @param key shape (tokens, kvHeads, headDim); kvHeads divides heads
   * @param value shape (tokens, kvHeads, headDim)
   * @return shape (tokens, heads, headDim)
   */
  Tensor attend(AttentionLayer layer, Tensor query, Tensor key, Tensor value);
}
