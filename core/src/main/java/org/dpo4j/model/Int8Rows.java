package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Rounds matrices to 8 bits: a weight w of a row whose largest absolute value is a becomes
 * round(127 w / a), with the scale a / 127. The error of a weight is at most half the scale.
 * Dettmers et al. 2022, arXiv 2208.07339, section 2.1 (absmax quantization, by row).
 */
public final class Int8Rows {

  private static final double LARGEST = 127;

  /** Elements that are rounded at a time, to keep temporaries small. */
  private static final long PIECE = 1 << 20;

  private Int8Rows() {}

  /**
   * Rounds a matrix.
   *
   * @param matrix shape (n, m), fp32, finite
   * @param rounded shape (n, m), int8, overwritten
   * @param scales shape (n, 1), fp32, overwritten
   */
  public static void round(Tensor matrix, Tensor rounded, Tensor scales) {
    long rows = matrix.size(0);
    long step = Math.max(1, PIECE / matrix.size(1));
    for (long from = 0; from < rows; from += step) {
      try (TensorScope scope = TensorScope.open();
          NoGrad noGrad = NoGrad.open()) {
        long count = Math.min(step, rows - from);
        Tensor piece = matrix.narrow(0, from, count);
        Tensor scale = scales.narrow(0, from, count);
        scale.copy_(piece.abs().amax(new long[] {1}, true).div_(Tensors.scalar(LARGEST)));
        // A row of zeros has no scale of its own, and any will do.
        Tensor divisor = scale.masked_fill(scale.eq(Tensors.scalar(0)), Tensors.scalar(1));
        rounded.narrow(0, from, count).copy_(piece.div(divisor).round_());
      }
    }
  }

  /** Uninitialized memory for so many numbers of 8 bits, in the caller's scope. */
  public static Tensor memory(long count) {
    return Tensors.empty(ElementType.F32, (count + Float.BYTES - 1) / Float.BYTES)
        .view(ScalarType.Char)
        .narrow(0, 0, count);
  }
}
