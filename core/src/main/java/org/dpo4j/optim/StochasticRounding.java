package org.dpo4j.optim;

import java.util.SplittableRandom;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Rounds float32 to bfloat16, up or down with probabilities by which the expectation is the number
 * itself. Rounding to nearest would stop a mean that changes by less than 1 part in 512 a step, as
 * that of squared gradients does with a beta2 of 0.999. Gupta et al. 2015, arXiv 1502.02551,
 * section 3.
 */
final class StochasticRounding implements AutoCloseable {

  private static final int DROPPED_BITS = 16; // of the mantissa
  private static final long KEPT_BITS = -1L << DROPPED_BITS;

  /**
   * Random numbers of as many bits as are dropped. A call reads a part of it, at a random offset.
   */
  private final Tensor noise; // (2 PIECE), int32

  /**
   * @param like on the device of the numbers
   */
  StochasticRounding(Tensor like) {
    long[] bits =
        new SplittableRandom(0).longs(2L * FlatParameters.PIECE, 0, 1L << DROPPED_BITS).toArray();
    try (TensorScope scope = TensorScope.open()) {
      noise = scope.disown(Tensors.longs(bits).to(like.device(), ScalarType.Int));
    }
  }

  /**
   * Rounds numbers.
   *
   * @param exact finite, float32, shape (n) with n at most {@link FlatParameters#PIECE};
   *     overwritten
   * @param rounded receives them, bfloat16, shape (n)
   * @param seed equal seeds round equal numbers equally
   */
  void round(Tensor exact, Tensor rounded, long seed) {
    long from = new SplittableRandom(seed).nextLong(FlatParameters.PIECE);
    // Adding to the bits of a float adds to its magnitude, in units of its last bit.
    exact
        .view(ScalarType.Int)
        .add_(noise.narrow(0, from, exact.numel()))
        .bitwise_and_(new Scalar(KEPT_BITS));
    rounded.copy_(exact);
  }

  @Override
  public void close() {
    Tensors.free(noise);
  }
}
