package org.dpo4j.model.lora;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.model.CausalLm;
import org.dpo4j.torch.Tensors;

/**
 * The change s B A of the matrix of an embedding table, as PEFT 0.21 computes it: a token's
 * embedding is a column of the matrix, so only columns of A are read. There is no dropout.
 *
 * @param a shape (rank, entries)
 * @param b shape (hidden, rank)
 * @param scale s
 */
record LowRank(Tensor a, Tensor b, double scale) {

  /**
   * What is added to the embeddings, shape (tokens, hidden).
   *
   * @param index columns of A, int64, shape (tokens)
   * @param padding a column that receives no gradient, or {@link CausalLm.EmbeddingTable#NONE}
   */
  Tensor rows(Tensor index, int padding) {
    Tensor low = torch.embedding(a.t(), index, padding, false, false);
    return low.mm(b.t()).mul(Tensors.scalar(scale));
  }

  /** Adds to the gradients of A and B, given the gradient with respect to {@link #rows}. */
  void addGradient(Tensor index, int padding, Tensor gradient) {
    if (!a.requires_grad()) {
      return;
    }
    Tensor scaled = gradient.t().mul(Tensors.scalar(scale)); // (hidden, tokens)
    b.grad().addmm_(scaled, a.index_select(1, index).t());
    Tensor byColumns = b.t().mm(scaled); // (rank, tokens)
    if (padding != CausalLm.EmbeddingTable.NONE) {
      byColumns.masked_fill_(index.eq(new Scalar(padding)), new Scalar(0));
    }
    a.grad().index_add_(1, index, byColumns);
  }
}
