package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/** Masks that are added to attention scores: 0 where a token is seen, else -infinity. */
final class CausalMask {

  private CausalMask() {}

  /**
   * The last {@code queries} of {@code keys} tokens of one sequence: each sees itself and what
   * comes before it, up to {@code window} tokens in all.
   *
   * @param like gives the floating type
   * @return shape (queries, keys)
   */
  static Tensor of(int queries, int keys, int window, Tensor like) {
    int before = keys - queries;
    Tensor mask = hidden(queries, keys, like).triu(before + 1L);
    return window >= keys
        ? mask
        : mask.add(hidden(queries, keys, like).tril(before - (long) window));
  }

  /** All hidden, shape (queries, keys). */
  static Tensor hidden(int queries, int keys, Tensor like) {
    return Tensors.zerosLike(like, queries, keys).fill_(Tensors.scalar(Double.NEGATIVE_INFINITY));
  }
}
