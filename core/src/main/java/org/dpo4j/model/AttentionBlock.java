package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** A decoder block with attention, as the two parts around it. */
public non-sealed interface AttentionBlock extends DecoderBlock {

  /**
   * The inputs of attention, for some rows.
   *
   * @param query shape (rows, heads, headDim)
   * @param key shape (rows, kvHeads, headDim)
   * @param value shape (rows, kvHeads, headDim)
   * @param gate factors of the output of attention, shape (rows, heads x headDim); null for none.
   *     Only a block {@linkplain CausalLm#untapedParts without a tape} has them
   */
  record Projected(Node query, Node key, Node value, @Nullable Node gate) {}

  /** The attention settings of the block. */
  AttentionLayer attention();

  /**
   * Computes queries, keys and values.
   *
   * @param states the input of the block, shape (rows, hidden)
   * @param rotations of the same rows
   */
  Projected project(Node states, Rotations rotations);

  @Override
  default Tensor apply(
      Tensor states,
      Rotations rotations,
      Attention attention,
      @Nullable DropoutMasks dropout,
      RouterLoss.@Nullable LogitsSink routers) {
    Node input = Node.of(states, dropout);
    Projected projected = project(input, rotations);
    Tensor attended =
        attention
            .attend(
                attention(),
                projected.query().value(),
                projected.key().value(),
                projected.value().value())
            .reshape(states.size(0), -1);
    Node gate = projected.gate();
    Tensor gated = gate == null ? attended : attended.mul(gate.value());
    return finish(input, Node.of(gated, dropout), routers).value();
  }
}
