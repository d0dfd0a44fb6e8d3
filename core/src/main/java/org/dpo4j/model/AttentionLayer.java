package org.dpo4j.model;

/**
 * What attention must know of the layer that asks.
 *
 * @param number of the layer, from 0
 * @param scale the scores are multiplied with it before the softmax
 * @param window how many tokens of its own sequence a token sees, itself and those next before it;
 *     at least 1, {@link #ALL} for no limit
 */
public record AttentionLayer(int number, double scale, int window) {

  /** A window that no sequence fills. */
  public static final int ALL = Integer.MAX_VALUE;

  /** A layer without a window whose scores are divided by the square root of the head's width. */
  public static AttentionLayer of(int number, int headDim) {
    return new AttentionLayer(number, 1 / Math.sqrt(headDim), ALL);
  }
}
