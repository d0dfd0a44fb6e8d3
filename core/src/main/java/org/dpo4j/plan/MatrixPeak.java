package org.dpo4j.plan;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.OneDnn;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** Speed at which the machine multiplies matrices: no training step can exceed it. */
public final class MatrixPeak {

  private static final int SMALLEST = 256;
  private static final int REPEATS = 5;

  private MatrixPeak() {}

  /**
   * Multiplies square matrices of growing size and returns the best speed, with the engine's
   * threads and the fastest of its libraries. Some processors have no fast kernel for a type and
   * take minutes for one large product, so that time limits the sizes.
   *
   * @param type of the elements
   * @param largest number of rows to try, at least 256; sizes double up to it
   * @param seconds limit for all sizes. The smallest size is always measured; a larger one is
   *     skipped if one product of it is expected to exceed the limit
   * @return floating point operations per second
   */
  public static double measure(ElementType type, int largest, double seconds) {
    long deadline = System.nanoTime() + (long) (seconds * 1e9);
    double best = 0;
    for (int size = SMALLEST; size <= largest; size *= 2) {
      if (best > 0 && System.nanoTime() + operations(size) / best * 1e9 > deadline) {
        break;
      }
      best = Math.max(best, square(type, size, deadline));
    }
    return best;
  }

  private static double operations(int size) {
    return 2.0 * size * size * size;
  }

  private static double square(ElementType type, int size, long deadline) {
    long shortest = Long.MAX_VALUE;
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor left = Tensors.empty(type, size, size).fill_(Tensors.scalar(0.5));
      Tensor right = Tensors.empty(type, size, size).fill_(Tensors.scalar(0.25));
      Tensor product = Tensors.empty(type, size, size);
      for (int i = 0; i <= REPEATS; i++) { // the first product warms up
        long started = System.nanoTime();
        torch.mm_out(product, left, right);
        shortest = Math.min(shortest, System.nanoTime() - started);
        if (OneDnn.isFaster(left, right)) {
          started = System.nanoTime();
          Tensors.free(OneDnn.product(left, right, null));
          shortest = Math.min(shortest, System.nanoTime() - started);
        }
        if (System.nanoTime() > deadline) {
          break;
        }
      }
    }
    return operations(size) / (shortest / 1e9);
  }
}
