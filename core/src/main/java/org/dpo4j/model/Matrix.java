package org.dpo4j.model;

import java.util.Objects;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.OneDnn;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The matrix of a linear layer in the precision in which it is multiplied: that of the weights, or
 * bfloat16 with a copy that is made once a step. Sums inside a product are in 32 bits either way;
 * what goes in is rounded to 8 bits of precision, and so is what comes out.
 */
public final class Matrix {

  /** A product of a few rows is over when the matrix has been read. */
  private static final long ROWS_TO_READ_AHEAD = 64;

  private final Tensor values;
  private @Nullable Tensor half; // bf16

  /** A matrix on its own, shape (n, m). */
  public Matrix(Tensor values) {
    this.values = values;
  }

  /** The weights, in full. */
  public Tensor values() {
    return values;
  }

  /** How many rows it has. */
  long rows() {
    return values.size(0);
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
    return times(input, transposed, null);
  }

  /** {@link #times(Tensor, boolean)} with a vector added to each row. */
  public Tensor times(Tensor input, boolean transposed, @Nullable Tensor bias) {
    if (inHalf(input)) {
      Tensor product = inHalf(input, transposed);
      return bias == null ? product : product.add_(bias);
    }
    if (OneDnn.isFaster(input, linear(transposed))) {
      return OneDnn.product(input, linear(transposed), bias);
    }
    return bias == null
        ? input.mm(right(input, transposed))
        : torch.addmm(bias, input, right(input, transposed));
  }

  /**
   * S + x M, or S + x M^T.
   *
   * @param sum S, shape of the result; may be changed and be the result
   */
  public Tensor plusTimes(Tensor sum, Tensor input, boolean transposed) {
    if (inHalf(input)) {
      sum.add_(inHalf(input, transposed));
    } else if (OneDnn.isFaster(input, linear(transposed))) {
      return OneDnn.productAndSum(sum, input, linear(transposed));
    } else {
      sum.addmm_(input, right(input, transposed));
    }
    return sum;
  }

  /** Writes x M, or x M^T, into memory that is there already. */
  public void timesInto(Tensor room, Tensor input, boolean transposed) {
    if (inHalf(input) || OneDnn.isFaster(input, linear(transposed))) {
      Tensor product = times(input, transposed);
      room.copy_(product);
      Tensors.free(product);
    } else {
      torch.mm_out(room, input, right(input, transposed));
    }
  }

  private Tensor inHalf(Tensor input, boolean transposed) {
    // Autograd must see the conversion of a trained matrix to differentiate through it.
    Tensor copy =
        GradMode.is_enabled() && values.requires_grad()
            ? values.to(ScalarType.BFloat16)
            : Objects.requireNonNull(half, "ask inHalf first");
    return input.to(ScalarType.BFloat16).mm(transposed ? copy.t() : copy).to(ScalarType.Float);
  }

  /** As the weight of a linear layer, (out, in). */
  private Tensor linear(boolean transposed) {
    return transposed ? values : values.t();
  }

  /** As the right factor of a product by OpenBLAS, (in, out). */
  private Tensor right(Tensor input, boolean transposed) {
    if (transposed) {
      return values.t();
    }
    return input.size(0) < ROWS_TO_READ_AHEAD || GradMode.is_enabled() ? values : readAhead();
  }

  /** Some of the rows, a view: as good as the whole until the next {@link #cast}. */
  public Matrix rows(long from, long count) {
    Matrix part = new Matrix(values.narrow(0, from, count));
    part.half = half == null ? null : half.narrow(0, from, count);
    return part;
  }

  /**
   * The values, on their way into the cache. A product with the matrix as it lies reads it down its
   * columns, which the processor does not foresee; to read it once along its rows first costs less
   * than it saves.
   */
  private Tensor readAhead() {
    values.sum();
    return values;
  }

  /** Notes that the gradient grows by left^T right, if there is one. */
  public void note(Tape tape, Tensor left, Tensor right) {
    tape.product(values, tape.keep(factor(left)), tape.keep(factor(right)));
  }

  /** Adds left^T right to the gradient of some of the rows. */
  public void addGradient(long from, long count, Tensor left, Tensor right) {
    addProduct(values.grad().narrow(0, from, count), factor(left).t(), factor(right));
  }

  /** Adds left right, in 32 bits also where the factors are in bfloat16. */
  static void addProduct(Tensor sum, Tensor left, Tensor right) {
    if (left.scalar_type().intern() == sum.scalar_type().intern()) {
      sum.addmm_(left, right);
    } else {
      sum.add_(left.mm(right));
    }
  }

  private Tensor factor(Tensor tensor) {
    return inHalf(tensor) ? tensor.to(ScalarType.BFloat16) : tensor;
  }
}
