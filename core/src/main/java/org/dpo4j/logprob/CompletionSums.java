package org.dpo4j.logprob;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.Tensors;

/**
 * Sums over the completion tokens of each sequence, and their backward formula.
 *
 * @param sequences the batch
 * @param tail the token weights of weighted sums
 */
record CompletionSums(FlatSequences sequences, LengthDesensitizing tail) {

  /**
   * The sum of each sequence, shape (sequences).
   *
   * @param terms shape (scored)
   */
  Tensor sums(Tensor terms) {
    return Tensors.zerosLike(terms, sequences.sequences()).index_add(0, sequenceOf(terms), terms);
  }

  /**
   * The weighted sum of each sequence, shape (sequences).
   *
   * @param terms shape (scored)
   */
  Tensor weightedSums(Tensor terms) {
    return weighted() ? sums(terms.mul(Tensors.like(terms, tail.of(sequences)))) : sums(terms);
  }

  /**
   * The gradient of the loss with respect to each term, shape (scored).
   *
   * @param bySums gradient with respect to {@link #sums}, shape (sequences)
   * @param byWeightedSums gradient with respect to {@link #weightedSums}, shape (sequences)
   */
  Tensor backward(Tensor bySums, Tensor byWeightedSums) {
    Tensor sequenceOf = sequenceOf(bySums);
    Tensor byWeighted = byWeightedSums.index_select(0, sequenceOf);
    if (weighted()) {
      byWeighted.mul_(Tensors.like(byWeighted, tail.of(sequences)));
    }
    return bySums.index_select(0, sequenceOf).add_(byWeighted);
  }

  private boolean weighted() {
    return !tail.equals(LengthDesensitizing.NONE);
  }

  private Tensor sequenceOf(Tensor like) {
    return Tensors.indices(like, sequences.sequenceOf());
  }
}
