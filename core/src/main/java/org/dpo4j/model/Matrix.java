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
 * The matrix of a linear layer, multiplied in the precision of the weights or in bfloat16. A bf16
 * product uses a copy of the matrix, refreshed once a step; its inputs and its result are rounded
 * to 8 bits of precision and its sums are in 32 bits.
 */
public final class Matrix {

  /** A product of fewer rows is bound by reading the matrix, so prefetching it cannot help. */
  private static final long MIN_ROWS_TO_PREFETCH = 64;

  private final Tensor values;
  private @Nullable Tensor bf16Copy;

  /** A matrix of shape (n, m), multiplied in the precision of its values. */
  public Matrix(Tensor values) {
    this.values = values;
  }

  /** The weights in their own precision. */
  public Tensor values() {
    return values;
  }

  long rowCount() {
    return values.size(0);
  }

  /** Whether the weights require a gradient. */
  public boolean trained() {
    return values.requires_grad();
  }

  boolean usesBf16() {
    return bf16Copy != null;
  }

  /** Multiplies in bfloat16 from now on. To be called again whenever the weights have changed. */
  void enableBf16() {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      if (bf16Copy == null) {
        bf16Copy = TensorScope.ownedHandle(values.detach().to(ScalarType.BFloat16));
      } else {
        bf16Copy.copy_(values);
      }
    }
  }

  /** Frees the bf16 copy and multiplies in the precision of the weights. */
  void disableBf16() {
    if (bf16Copy != null) {
      Tensors.free(bf16Copy);
      bf16Copy = null;
    }
  }

  private boolean multipliesInBf16(Tensor input) {
    return bf16Copy != null && input.scalar_type().intern() == ScalarType.Float;
  }

  /**
   * Multiplies: x M, or x M^T.
   *
   * @param input x, shape (rows, n); shape (rows, m) for the transpose
   * @param transposed whether to multiply by the transpose
   */
  public Tensor times(Tensor input, boolean transposed) {
    return times(input, transposed, null);
  }

  /** {@link #times(Tensor, boolean)} with a vector added to each row. */
  public Tensor times(Tensor input, boolean transposed, @Nullable Tensor bias) {
    if (multipliesInBf16(input)) {
      Tensor product = bf16Product(input, transposed);
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
   * Multiplies and adds: S + x M, or S + x M^T.
   *
   * @param sum S, in the shape of the result; the result may be this tensor, changed in place
   * @param input x, as for {@link #times}
   * @param transposed whether to multiply by the transpose
   */
  public Tensor plusTimes(Tensor sum, Tensor input, boolean transposed) {
    if (multipliesInBf16(input)) {
      sum.add_(bf16Product(input, transposed));
    } else if (OneDnn.isFaster(input, linear(transposed))) {
      return OneDnn.productAndSum(sum, input, linear(transposed));
    } else {
      sum.addmm_(input, right(input, transposed));
    }
    return sum;
  }

  /**
   * As {@link #times}, into existing memory.
   *
   * @param out overwritten; in the shape of the result, any strides
   */
  public void timesInto(Tensor out, Tensor input, boolean transposed) {
    if (multipliesInBf16(input) || OneDnn.isFaster(input, linear(transposed))) {
      Tensor product = times(input, transposed);
      out.copy_(product);
      Tensors.free(product);
    } else {
      torch.mm_out(out, input, right(input, transposed));
    }
  }

  private Tensor bf16Product(Tensor input, boolean transposed) {
    // Autograd must see the conversion of a trained matrix to differentiate through it.
    Tensor copy =
        GradMode.is_enabled() && values.requires_grad()
            ? values.to(ScalarType.BFloat16)
            : Objects.requireNonNull(bf16Copy, "the matrix has no bf16 copy");
    return input.to(ScalarType.BFloat16).mm(transposed ? copy.t() : copy).to(ScalarType.Float);
  }

  /** The matrix as the weight of a linear layer, shape (out, in). */
  private Tensor linear(boolean transposed) {
    return transposed ? values : values.t();
  }

  /** The matrix as the right factor of a product, shape (in, out). */
  private Tensor right(Tensor input, boolean transposed) {
    if (transposed) {
      return values.t();
    }
    return input.size(0) < MIN_ROWS_TO_PREFETCH || GradMode.is_enabled() ? values : prefetched();
  }

  /** A view of {@code count} rows, valid until the next {@link #enableBf16}. */
  public Matrix rows(long from, long count) {
    Matrix part = new Matrix(values.narrow(0, from, count));
    part.bf16Copy = bf16Copy == null ? null : bf16Copy.narrow(0, from, count);
    return part;
  }

  /**
   * The values, after reading them once. The product reads the matrix by columns, which the
   * hardware prefetcher does not follow; reading it by rows first costs less than it saves
   * (LOG.md).
   */
  private Tensor prefetched() {
    values.sum();
    return values;
  }

  /**
   * Records on a tape that the matrix's gradient grows by left^T right.
   *
   * @param left shape (rows, n)
   * @param right shape (rows, m)
   */
  public void recordGradient(Tape tape, Tensor left, Tensor right) {
    tape.recordMatrixGradient(values, factor(left), factor(right));
  }

  /** Adds left^T right to the gradient of {@code count} rows. */
  public void addGradient(long from, long count, Tensor left, Tensor right) {
    addProduct(values.grad().narrow(0, from, count), factor(left).t(), factor(right));
  }

  /** Adds the product of two factors, which may be in bfloat16, to a sum in 32 bits. */
  static void addProduct(Tensor sum, Tensor left, Tensor right) {
    if (left.scalar_type().intern() == sum.scalar_type().intern()) {
      sum.addmm_(left, right);
    } else {
      sum.add_(left.mm(right));
    }
  }

  private Tensor factor(Tensor tensor) {
    return multipliesInBf16(tensor) ? tensor.to(ScalarType.BFloat16) : tensor;
  }
}
