package org.dpo4j.model;

import java.util.Objects;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.OneDnn;
import org.dpo4j.torch.Scratch;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The matrix of a linear layer. A matrix that is stored in 16 or 8 bits is widened to fp32 for each
 * product and the fp32 values are dropped afterwards, so that a frozen model takes no more memory
 * than its checkpoint; the result is that of a matrix stored in fp32.
 *
 * <p>With {@link #enableBf16} products are in bfloat16: they use the matrix itself or a copy of it,
 * refreshed once a step; inputs and result are rounded to 8 bits of precision and sums are in 32
 * bits.
 */
public final class Matrix {

  /** A product of fewer rows is bound by reading the matrix, so prefetching it cannot help. */
  private static final long MIN_ROWS_TO_PREFETCH = 64;

  private final Tensor values;
  private final @Nullable Tensor scales; // (n, 1), of values in 8 bits
  private final @Nullable Matrix whole; // of which this is a part
  private final UnaryOperator<Tensor> place; // of the part in the whole
  private boolean inBf16;
  private @Nullable Tensor bf16Copy; // null for values in 8 bits and in bfloat16

  /** A matrix of shape (n, m), or a stack of them, in 16, 32 or 64 bits. */
  public Matrix(Tensor values) {
    this(values, null);
  }

  /**
   * A matrix in 8 bits, or a stack of them.
   *
   * @param values shape (n, m), int8
   * @param scales factors of the rows, shape (n, 1), fp32
   */
  Matrix(Tensor values, @Nullable Tensor scales) {
    this(values, scales, null, UnaryOperator.identity());
  }

  private Matrix(
      Tensor values, @Nullable Tensor scales, @Nullable Matrix whole, UnaryOperator<Tensor> place) {
    this.values = values;
    this.scales = scales;
    this.whole = whole;
    this.place = place;
  }

  /** The weights as they are stored. */
  public Tensor values() {
    return values;
  }

  /**
   * Some rows in the precision of products, shape (indices, m).
   *
   * @param indices of the rows, int64, shape (indices)
   */
  public Tensor select(Tensor indices) {
    Tensor rows = values.index_select(0, indices);
    Tensor factors = scales();
    return factors == null
        ? widened(rows)
        : scaled(rows.to(ScalarType.Float), factors.index_select(0, indices));
  }

  /** A copy of the values in the precision of products, in the caller's scope. */
  public Tensor copy() {
    return isNarrow() ? scaled(values.to(ScalarType.Float), scales()) : values.clone();
  }

  /** The values in fp32 if they are stored in 16 bits; else as they are. */
  static Tensor widened(Tensor values) {
    return isNarrow(values) ? values.to(ScalarType.Float) : values;
  }

  private static boolean isNarrow(Tensor values) {
    ScalarType type = values.scalar_type().intern();
    return type == ScalarType.BFloat16 || type == ScalarType.Half;
  }

  long rowCount() {
    return values.size(0);
  }

  /** Whether the weights require a gradient. */
  public boolean trained() {
    return whole == null ? values.requires_grad() : whole.trained();
  }

  private Tensor gradient() {
    return whole == null ? values.grad() : place.apply(whole.gradient());
  }

  boolean usesBf16() {
    return inBf16;
  }

  private boolean isNarrow() {
    return scales() != null || isNarrow(values);
  }

  private boolean isBf16() {
    return values.scalar_type().intern() == ScalarType.BFloat16;
  }

  /** Null also while an adapter trains the matrix in full, which puts fp32 values in its place. */
  private @Nullable Tensor scales() {
    return scales != null && values.scalar_type().intern() == ScalarType.Char ? scales : null;
  }

  /** Multiplies in bfloat16 from now on. To be called again whenever the weights have changed. */
  void enableBf16() {
    inBf16 = true;
    if (scales() != null || isBf16()) {
      return;
    }
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
    inBf16 = false;
    if (bf16Copy != null) {
      Tensors.free(bf16Copy);
      bf16Copy = null;
    }
  }

  private boolean multipliesInBf16(Tensor input) {
    return inBf16 && input.scalar_type().intern() == ScalarType.Float;
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
    try (Wide wide = wide()) {
      if (OneDnn.isFaster(input, wide.linear(transposed))) {
        return OneDnn.product(input, wide.linear(transposed), bias);
      }
      return bias == null
          ? input.mm(wide.right(input, transposed))
          : torch.addmm(bias, input, wide.right(input, transposed));
    }
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
      return sum.add_(bf16Product(input, transposed));
    }
    try (Wide wide = wide()) {
      return OneDnn.isFaster(input, wide.linear(transposed))
          ? OneDnn.productAndSum(sum, input, wide.linear(transposed))
          : sum.addmm_(input, wide.right(input, transposed));
    }
  }

  /**
   * As {@link #times}, into existing memory.
   *
   * @param out overwritten; in the shape of the result, any strides
   */
  public void timesInto(Tensor out, Tensor input, boolean transposed) {
    if (multipliesInBf16(input)) {
      overwrite(out, bf16Product(input, transposed));
    } else {
      try (Wide wide = wide()) {
        if (OneDnn.isFaster(input, wide.linear(transposed))) {
          overwrite(out, OneDnn.product(input, wide.linear(transposed), null));
        } else {
          torch.mm_out(out, input, wide.right(input, transposed));
        }
      }
    }
  }

  private static void overwrite(Tensor out, Tensor product) {
    out.copy_(product);
    Tensors.free(product);
  }

  /** The whole matrix in the precision of products. */
  private Wide wide() {
    if (!isNarrow()) {
      return new Wide(values, null);
    }
    if (GradMode.is_enabled() || !values.is_cpu()) {
      return new Wide(copy(), null); // a graph may keep it, or a GPU has memory of its own
    }
    Scratch scratch = Scratch.of(values.shape());
    return new Wide(widenInto(scratch.tensor()), scratch);
  }

  /** Fills fp32 memory of the matrix's shape. */
  private Tensor widenInto(Tensor memory) {
    memory.copy_(values);
    return scaled(memory, scales());
  }

  private static Tensor scaled(Tensor rows, @Nullable Tensor factors) {
    return factors == null ? rows : rows.mul_(factors);
  }

  /**
   * The values for one product.
   *
   * @param scratch their memory; null if it is the matrix's own
   */
  private record Wide(Tensor values, @Nullable Scratch scratch) implements AutoCloseable {

    /** The matrix as the weight of a linear layer, shape (out, in). */
    Tensor linear(boolean transposed) {
      return transposed ? values : values.t();
    }

    /** The matrix as the right factor of a product, shape (in, out). */
    Tensor right(Tensor input, boolean transposed) {
      if (transposed) {
        return values.t();
      }
      if (scratch == null
          && input.size(0) >= MIN_ROWS_TO_PREFETCH
          && !GradMode.is_enabled()
          && values.is_cpu()) {
        prefetch();
      }
      return values;
    }

    /**
     * Reads the matrix once. The product reads it by columns, which the hardware prefetcher does
     * not follow; reading it by rows first costs less than it saves (LOG.md).
     */
    private void prefetch() {
      values.sum();
    }

    @Override
    public void close() {
      if (scratch != null) {
        scratch.close();
      }
    }
  }

  private Tensor bf16Product(Tensor input, boolean transposed) {
    Tensor own = bf16Values();
    return input.to(ScalarType.BFloat16).mm(transposed ? own.t() : own).to(ScalarType.Float);
  }

  private Tensor bf16Values() {
    if (scales() != null) {
      try (Wide wide = wide()) {
        return wide.values().to(ScalarType.BFloat16);
      }
    }
    if (isBf16()) {
      return values;
    }
    // Autograd must see the conversion of a trained matrix to differentiate through it.
    return GradMode.is_enabled() && values.requires_grad()
        ? values.to(ScalarType.BFloat16)
        : Objects.requireNonNull(bf16Copy, "the matrix has no bf16 copy");
  }

  /** A view of {@code count} rows, valid until the next {@link #enableBf16}. */
  public Matrix rows(long from, long count) {
    return part(all -> all.narrow(0, from, count));
  }

  /**
   * A view of a part, valid until the next {@link #enableBf16}.
   *
   * @param place of the part: rows, or a matrix of a stack
   */
  Matrix part(UnaryOperator<Tensor> place) {
    Tensor factors = scales();
    Matrix part =
        new Matrix(place.apply(values), factors == null ? null : place.apply(factors), this, place);
    part.inBf16 = inBf16;
    part.bf16Copy = bf16Copy == null ? null : place.apply(bf16Copy);
    return part;
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

  /** Adds left^T right to the gradient. The factors are as {@link #factor} gives them. */
  void addGradient(Tensor left, Tensor right) {
    addProduct(gradient(), left.t(), right);
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

  /** A factor of the gradient in the precision of products. */
  Tensor factor(Tensor tensor) {
    return multipliesInBf16(tensor) ? tensor.to(ScalarType.BFloat16) : tensor;
  }
}
