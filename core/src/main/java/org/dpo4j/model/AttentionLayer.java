package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The settings of one layer that its attention needs.
 *
 * @param number index of the layer, from 0
 * @param scale factor of the scores before the softmax
 * @param window number of tokens that a token attends to: itself and those before it in its
 *     sequence; at least 1, {@link #ALL} for no limit
 * @param cap {@linkplain SoftCapping soft cap} of the scores before the mask; 0 for none
 * @param sinks scores of one more key for each query head, which has no value, shape (heads); null
 *     for none. Xiao et al. 2023, arXiv 2309.17453
 */
public record AttentionLayer(
    int number, double scale, int window, double cap, @Nullable Tensor sinks) {

  /** No limit. */
  public static final int ALL = Integer.MAX_VALUE;

  /** A layer with neither cap nor sinks. */
  public AttentionLayer(int number, double scale, int window) {
    this(number, scale, window, 0, null);
  }

  /** Whether the scores go to the softmax as they are. */
  boolean plain() {
    return cap == 0 && sinks == null;
  }

  /** A layer without a window, with scale 1/sqrt(headDim). */
  public static AttentionLayer of(int number, int headDim) {
    return new AttentionLayer(number, 1 / Math.sqrt(headDim), ALL);
  }
}
