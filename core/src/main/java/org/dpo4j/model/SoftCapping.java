package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * The soft cap of scores or logits: x becomes c = cap tanh(x / cap). Bello et al. 2016, arXiv
 * 1611.09940; Gemma Team 2024, arXiv 2408.00118, section 2.
 */
public final class SoftCapping {

  private SoftCapping() {}

  /** Caps numbers, in place. */
  public static Tensor apply_(Tensor x, double cap) {
    return x.div_(Tensors.scalar(cap)).tanh_().mul_(Tensors.scalar(cap));
  }

  /** The derivative dc/dx = 1 - (c / cap)^2, in new memory. */
  public static Tensor slope(Tensor capped, double cap) {
    return capped.div(Tensors.scalar(cap)).square_().neg_().add_(Tensors.scalar(1));
  }
}
