package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A decoder block. What it computes row by row is apart from the one part that looks at other rows:
 * attention in an {@link AttentionBlock}, a recurrence in a {@link RecurrentBlock}. In the other
 * parts a row of the result depends on the same row of the input alone, so threads can compute
 * different rows.
 */
public sealed interface DecoderBlock permits AttentionBlock, RecurrentBlock {

  /**
   * Computes the output of the block.
   *
   * @param states the input of the block, shape (rows, hidden)
   * @param mixed what the part that looks at other rows gave: the output of attention, shape (rows,
   *     heads x headDim), or of the recurrence
   * @param routers takes the router's logits; null if nobody needs them
   * @return shape (rows, hidden)
   */
  Node finish(Node states, Node mixed, RouterLoss.@Nullable LogitsSink routers);

  /**
   * Applies the block without a tape: shape (tokens, hidden) in and out.
   *
   * @param dropout masks of the tokens; null for none
   * @param routers takes the logits of a router; null if nobody needs them
   */
  Tensor apply(
      Tensor states,
      Rotations rotations,
      Attention attention,
      @Nullable DropoutMasks dropout,
      RouterLoss.@Nullable LogitsSink routers);
}
