package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;

/**
 * Which tokens see which. A model hands its queries, keys and values over and does not know how the
 * sequences of a batch lie in memory.
 */
@FunctionalInterface
public interface Attention {

  /**
   * Scaled dot-product attention of one layer.
   *
   * @param layer which one, and how it attends
   * @param query shape (tokens, heads, headDim)
   * @param key shape (tokens, kvHeads, headDim); kvHeads divides heads
   * @param value shape (tokens, kvHeads, headDim)
   * @return shape (tokens, heads, headDim)
   */
  Tensor attend(AttentionLayer layer, Tensor query, Tensor key, Tensor value);
}
