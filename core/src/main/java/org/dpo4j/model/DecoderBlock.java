package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A layer of a decoder in the two parts around its attention. In both, a token's row depends on
 * nothing but that row, so that rows can be shared out among threads; only attention looks across.
 */
public interface DecoderBlock {

  /**
   * What attention needs of some rows.
   *
   * @param query shape (rows, heads, headDim)
   * @param key shape (rows, kvHeads, headDim)
   * @param value shape (rows, kvHeads, headDim)
   */
  record Projected(Node query, Node key, Node value) {}

  /** How the layer attends. */
  AttentionLayer attention();

  /**
   * From the states to queries, keys and values.
   *
   * @param states shape (rows, hidden)
   * @param rotary of the same rows; null where the model has none
   */
  Projected project(Node states, @Nullable RotaryEmbedding rotary);

  /**
   * From what attention gives to the states after the layer.
   *
   * @param states the layer's input, shape (rows, hidden)
   * @param attended shape (rows, heads x headDim)
   * @return shape (rows, hidden)
   */
  Node finish(Node states, Node attended);

  /**
   * The whole layer without a tape: shape (tokens, hidden) in and out.
   *
   * @param dropout masks of the tokens; null for none
   */
  default Tensor apply(
      Tensor states,
      @Nullable RotaryEmbedding rotary,
      Attention attention,
      @Nullable DropoutMasks dropout) {
    Node input = Node.of(states, dropout);
    Projected projected = project(input, rotary);
    Tensor attended =
        attention.attend(
            attention(),
            projected.query().value(),
            projected.key().value(),
            projected.value().value());
    return finish(input, Node.of(attended.reshape(states.size(0), -1), dropout)).value();
  }
}
