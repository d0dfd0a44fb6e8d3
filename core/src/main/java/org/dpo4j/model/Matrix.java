package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The matrix of a linear layer in the precision in which it is multiplied: that of the weights, or
 * bfloat16 with a copy that is made once a step. Sums inside a product are in 32 bits either way;
 * what goes in is rounded to 8 bits of precision, and so is what comes out.
 */
public final class Matrix {

  private final Tensor values;
  private @Nullable Tensor half; // bf16

  Matrix(Tensor values) {
    this.values = values;
  }

  /** The weights, in full. */
  public Tensor values() {
    return values;
  }

  /** Whether it has a gradient. */
  public boolean trained() {
    return values.requires_grad();
  }

  boolean isCast() {
    return half != null;
  }

  /** Multiplies in bfloat16 from now on, with the weights as they are now; again after a step. */
  void cast() {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      if (half == null) {
        half = TensorScope.hold(values.detach().to(ScalarType.BFloat16));
      } else {
        half.copy_(values);
      }
    }
  }

  /** Frees the copy; products are in the weights' precision again. */
  void uncast() {
    if (half != null) {
      Tensors.free(half);
      half = null;
    }
  }

  private boolean inHalf(Tensor input) {
    return half != null && input.scalar_type().intern() == ScalarType.Float;
  }

  /**
   * x M, or x M^T.
   *
   * @param input shape (rows, n)
   * @param transposed whether it is the transpose that is multiplied with
   */
  public Tensor times(Tensor input, boolean transposed) {
    Tensor copy = half;
    if (copy == null || !inHalf(input)) {
      return input.mm(transposed ? values.t() : values);
    }
    Tensor matrix = transposed ? copy.t() : copy;
    return input.to(ScalarType.BFloat16).mm(matrix).to(ScalarType.Float);
  }

  /** {@link #times} with a vector added to each row. */
  public Tensor times(Tensor input, boolean transposed, @Nullable Tensor bias) {
    if (bias == null) {
      return times(input, transposed);
    }
    return inHalf(input)
        ? times(input, transposed).add_(bias)
        : torch.addmm(bias, input, transposed ? values.t() : values);
  }

  /** {@link #times(Tensor, boolean, Tensor)} into memory that is there already. */
  Tensor timesInto(Tensor room, Tensor input, boolean transposed, @Nullable Tensor bias) {
    if (inHalf(input)) {
      return room.copy_(times(input, transposed, bias));
    }
    Tensor matrix = transposed ? values.t() : values;
    return bias == null
        ? torch.mm_out(room, input, matrix)
        : torch.addmm_out(room, bias, input, matrix);
  }

  /** Adds x M, or x M^T, to the gradient of a node. */
  public void addTimes(Node node, Tensor input, boolean transposed) {
    if (inHalf(input)) {
      node.addOwn(times(input, transposed));
    } else {
      node.addProduct(input, transposed ? values.t() : values);
    }
  }

  /** Notes that the gradient grows by left^T right, if there is one. */
  public void note(Tape tape, Tensor left, Tensor right) {
    boolean cast = inHalf(left);
    tape.product(
        values,
        tape.keep(cast ? left.to(ScalarType.BFloat16) : left),
        tape.keep(cast ? right.to(ScalarType.BFloat16) : right));
  }
}
