package org.dpo4j.model;

/**
 * The settings of one layer that its attention needs.
 *
 * @param number index of the layer, from 0
 * @param scale factor of the scores before the softmax
 * @param window number of tokens that a token attends to: itself and those before it in its
 *     sequence; at least 1, {@link #ALL} for no limit
 */
public record AttentionLayer(int number, double scale, int window) {

  /** No limit. */
  public static final int ALL = Integer.MAX_VALUE;

  /** A layer without a window, with scale 1/sqrt(headDim). */
  public static AttentionLayer of(int number, int headDim) {
    return new AttentionLayer(number, 1 / Math.sqrt(headDim), ALL);
  }
}
