package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A decoder block, as the two parts around its attention. In both parts a row of the result depends
 * on the same row of the input alone, so threads can compute different rows. Only attention looks
 * at other rows.
 */
public interface DecoderBlock {

  /**
   * The inputs of attention, for some rows.
   *
   * @param query shape (rows, heads, headDim)
   * @param key shape (rows, kvHeads, headDim)
   * @param value shape (rows, kvHeads, headDim)
   */
  record Projected(Node query, Node key, Node value) {}

  /** The attention settings of the block. */
  AttentionLayer attention();

  /**
   * Computes queries, keys and values.
   *
   * @param states the input of the block, shape (rows, hidden)
   * @param rotations of the same rows
   */
  Projected project(Node states, Rotations rotations);

  /**
   * Computes the output of the block.
   *
   * @param states the input of the block, shape (rows, hidden)
   * @param attended the output of attention, shape (rows, heads x headDim)
   * @return shape (rows, hidden)
   */
  Node finish(Node states, Node attended);

  /**
   * As {@link #finish(Node, Node)}, for a block that may have a router.
   *
   * @param routers takes the router's logits; null if nobody needs them
   */
  default Node finish(Node states, Node attended, RouterLoss.@Nullable Log routers) {
    return finish(states, attended);
  }

  /**
   * Applies the block without a tape: shape (tokens, hidden) in and out.
   *
   * @param dropout masks of the tokens; null for none
   * @param routers takes the logits of a router; null if nobody needs them
   */
  default Tensor apply(
      Tensor states,
      Rotations rotations,
      Attention attention,
      @Nullable DropoutMasks dropout,
      RouterLoss.@Nullable Log routers) {
    Node input = Node.of(states, dropout);
    Projected projected = project(input, rotations);
    Tensor attended =
        attention.attend(
            attention(),
            projected.query().value(),
            projected.key().value(),
            projected.value().value());
    return finish(input, Node.of(attended.reshape(states.size(0), -1), dropout), routers).value();
  }
}
