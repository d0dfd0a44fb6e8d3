package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/** The layer that {@code docs/how-to/write-a-layer.md} writes. */
final class SoftCap {

  private SoftCap() {}

  /** y = c tanh(x / c), which keeps y in (-c, c): shape (rows, width) in and out. */
  static Node apply(Node input, double cap) {
    input.saveForBackward();
    return input
        .then(capped(input, cap), gradient -> backward(input, cap, gradient))
        .recomputeWith(() -> capped(input, cap));
  }

  private static Tensor capped(Node input, double cap) {
    Tensor scaled = input.value().div(Tensors.scalar(cap)).tanh();
    return scaled.mul(Tensors.scalar(cap));
  }

  /** dx = (1 - tanh(x / c)^2) dy. */
  private static void backward(Node input, double cap, Tensor gradient) {
    Tensor tanh = input.value().div(Tensors.scalar(cap)).tanh();
    Tensor slope = tanh.square_().neg_().add_(Tensors.scalar(1));
    input.accumulateOwned(slope.mul_(gradient));
  }
}
