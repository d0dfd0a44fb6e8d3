package org.dpo4j.plan;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.OneDnn;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** How fast the machine multiplies matrices, which nothing that trains a model can exceed. */
public final class MatrixPeak {

  private static final int REPEATS = 5;

  private MatrixPeak() {}

  /**
   * Multiplies square matrices and takes the best of several times, with the threads that the
   * engine has, by any of the libraries that it uses.
   *
   * @param type of the elements
   * @param sizes rows of the matrices that are tried, one after the other
   * @return floating point operations a second
   */
  public static double measure(ElementType type, int... sizes) {
    double best = 0;
    for (int size : sizes) {
      best = Math.max(best, square(type, size));
    }
    return best;
  }

  private static double square(ElementType type, int size) {
    double operations = 2.0 * size * size * size;
    long shortest = Long.MAX_VALUE;
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor left = Tensors.empty(type, size, size).fill_(Tensors.scalar(0.5));
      Tensor right = Tensors.empty(type, size, size).fill_(Tensors.scalar(0.25));
      Tensor product = Tensors.empty(type, size, size);
      for (int i = 0; i <= REPEATS; i++) { // the first warms up
        long started = System.nanoTime();
        torch.mm_out(product, left, right);
        shortest = Math.min(shortest, System.nanoTime() - started);
        if (OneDnn.isFaster(left, right)) {
          started = System.nanoTime();
          Tensors.free(OneDnn.product(left, right, null));
          shortest = Math.min(shortest, System.nanoTime() - started);
        }
      }
    }
    return operations / (shortest / 1e9);
  }
}
