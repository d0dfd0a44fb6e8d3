package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/** Masks that are added to attention scores: 0 for visible keys, -infinity for hidden ones. */
final class CausalMask {

  private CausalMask() {}

  /**
   * The causal mask of the last {@code queries} of {@code keys} tokens of one sequence: each token
   * sees itself and the tokens before it, at most {@code window} tokens in total.
   *
   * @param like tensor whose type and device the mask takes
   * @return shape (queries, keys)
   */
  static Tensor of(int queries, int keys, int window, Tensor like) {
    int before = keys - queries;
    Tensor mask = hidden(queries, keys, like).triu(before + 1L);
    return window >= keys
        ? mask
        : mask.add(hidden(queries, keys, like).tril(before - (long) window));
  }

  /** A mask that hides every key, shape (queries, keys). */
  static Tensor hidden(int queries, int keys, Tensor like) {
    return Tensors.zerosLike(like, queries, keys).fill_(Tensors.scalar(Double.NEGATIVE_INFINITY));
  }
}
