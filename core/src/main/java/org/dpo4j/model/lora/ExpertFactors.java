package org.dpo4j.model.lora;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.ExpertMatrices;
import org.dpo4j.model.ExpertSlot;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * The factors of a block's experts: expert e computes (W_e + s B_e A_e) x. PEFT 0.21 keeps them as
 * two matrices, whose orders differ.
 *
 * @param name of the adapter at this slot
 * @param a shape (experts * rank, in), expert by expert
 * @param b shape (out, rank * experts): column j of expert e is at j * experts + e
 * @param scale s
 */
record ExpertFactors(ExpertSlot slot, String name, Tensor a, Tensor b, double scale) {

  /** The same with other values, by name. */
  ExpertFactors with(Map<String, Tensor> values) {
    return new ExpertFactors(
        slot,
        name,
        LoraModel.value(values, name + LoraModel.A),
        LoraModel.value(values, name + LoraModel.B),
        scale);
  }

  /** The matrices of the experts. */
  ExpertSlot.Factors factors() {
    return new ExpertSlot.Factors(
        ExpertMatrices.stackedRows(a, slot.experts()),
        ExpertMatrices.interleavedColumns(b, slot.experts()),
        scale);
  }

  private Tensor byExpertOfA() {
    return a.view(slot.experts(), -1, slot.in());
  }

  private Tensor byExpertOfB() {
    return b.view(slot.out(), -1, slot.experts());
  }

  /** Some rows of s B_e A_e, shape (to - from, in). */
  Tensor change(int expert, long from, long to) {
    return Tensors.rows(byExpertOfB().select(2, expert), 0, from, to)
        .mm(byExpertOfA().select(0, expert))
        .mul_(Tensors.scalar(scale));
  }

  /**
   * Part of a weight with the change: some of its rows, or the matrices of some experts.
   *
   * @param own the same part of the weight, fp32
   */
  Tensor changed(ExpertSlot.Part part, Tensor own, long from, long to) {
    if (part.expert() != ExpertSlot.Part.ALL) {
      return change(part.expert(), part.from() + from, part.from() + to).add_(own);
    }
    Tensor sum = own.clone();
    for (long expert = from; expert < to; expert++) {
      try (TensorScope scope = TensorScope.open()) {
        Tensor change = change((int) expert, 0, slot.out());
        sum.select(0, expert - from).add_(slot.transposed() ? change.t() : change);
      }
    }
    return sum;
  }
}
