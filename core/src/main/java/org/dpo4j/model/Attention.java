package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;

/**
 * Mixes tokens, by attention or a recurrence, and decides which tokens see which. Models pass
 * queries, keys and values, or the input of a recurrence, and do not depend on the layout of a
 * batch's sequences in memory.
 */
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

  /**
   * Runs the recurrence of one layer over each sequence.
   *
   * @param layer index of the layer
   * @param input shape (tokens, width)
   * @return the output of the recurrence, shape (tokens, width)
   */
  Tensor read(int layer, Recurrence recurrence, Tensor input);
}
