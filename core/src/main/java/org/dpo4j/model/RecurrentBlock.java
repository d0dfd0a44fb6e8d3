package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A decoder block with a recurrence in place of attention. It has no backward formulas: libtorch's
 * autograd trains a model with such blocks.
 */
public non-sealed interface RecurrentBlock extends DecoderBlock {

  /** Index of the layer, from 0. */
  int number();

  Recurrence recurrence();

  /** Computes the input of the recurrence: shape (rows, hidden) in, (rows, width) out. */
  Node project(Node states);

  @Override
  default Tensor apply(
      Tensor states,
      Rotations rotations,
      Attention attention,
      @Nullable DropoutMasks dropout,
      RouterLoss.@Nullable LogitsSink routers) {
    Node input = Node.of(states, dropout);
    Tensor read = attention.read(number(), recurrence(), project(input).value());
    return finish(input, Node.of(read, dropout), routers).value();
  }
}
