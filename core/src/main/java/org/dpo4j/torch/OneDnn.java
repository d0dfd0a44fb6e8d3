package org.dpo4j.torch;

import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.NumberType;
import org.bytedeco.pytorch.OptionalType;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.Type;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Products of fp32 matrices by oneDNN. libtorch includes it, but uses it for fp32 only in operators
 * of its compiler, which are called by name here. For a matrix that is not cached they take 5 to 30
 * % less time than OpenBLAS with AVX-512, and up to 25 % less with AVX2 (LOG.md); other processors
 * were not measured and use libtorch's default. Sums are in fp32 too, in a different order.
 */
public final class OneDnn {

  /** Instruction sets with which it is faster, as libtorch names them. */
  private static final Set<String> MEASURED = Set.of("AVX2", "AVX512");

  /** Minimum number of multiplications: below, the call by name costs more than it saves. */
  private static final long MIN_MULTIPLICATIONS = 1 << 23;

  private static final long MIN_ROWS = 8;

  /** As above where OpenBLAS has one thread: the matrix is read by several with oneDNN. */
  private static final long MIN_MULTIPLICATIONS_OF_SEVERAL_THREADS = 1 << 18;

  private static final @Nullable NamedOperator PRODUCT = find("");
  private static final @Nullable NamedOperator PRODUCT_AND_SUM = find("binary");
  private static final IValue NOTHING = NamedOperator.forever(new IValue());
  private static final IValue NO_ACTIVATION = NamedOperator.forever(new IValue("none"));
  private static final IValue ADD = NamedOperator.forever(new IValue("add"));
  private static final IValue NO_SCALARS =
      NamedOperator.forever(
          new IValue(
              new GenericList(
                  OptionalType.get(
                      new Type.TypePtr((Type) NumberType.getNumberIntTypePtr().get())))));

  private OneDnn() {}

  /**
   * Whether {@link #product} is faster than libtorch's default for x W^T and may be used: the
   * operators have no derivative, so autograd must be off.
   *
   * @param input x, shape (rows, in)
   * @param weight W, shape (out, in); any strides
   */
  public static boolean isFaster(Tensor input, Tensor weight) {
    return PRODUCT != null
        && PRODUCT_AND_SUM != null
        && isLarge(input.size(0), input.numel() * weight.size(0))
        && isFloat(input)
        && isFloat(weight)
        && !GradMode.is_enabled()
        && input.is_cpu();
  }

  private static boolean isLarge(long rows, long multiplications) {
    return (rows >= MIN_ROWS && multiplications >= MIN_MULTIPLICATIONS)
        || (Pools.isSpreadAroundProducts()
            && multiplications >= MIN_MULTIPLICATIONS_OF_SEVERAL_THREADS);
  }

  private static boolean isFloat(Tensor tensor) {
    return tensor.scalar_type().intern() == torch.ScalarType.Float;
  }

  /**
   * Multiplies: x W^T + b.
   *
   * @param input x, shape (rows, in)
   * @param weight W, shape (out, in); any strides
   * @param bias b, shape (out); null for none
   */
  public static Tensor product(Tensor input, Tensor weight, @Nullable Tensor bias) {
    IValue added = bias == null ? NOTHING : new IValue(bias);
    return call(
        PRODUCT, new IValue(input), new IValue(weight), added, NO_ACTIVATION, NO_SCALARS, NOTHING);
  }

  /**
   * Multiplies and adds: S + x W^T, in a new tensor.
   *
   * @param sum S, shape (rows, out)
   * @param input x, shape (rows, in)
   * @param weight W, shape (out, in); any strides
   */
  public static Tensor productAndSum(Tensor sum, Tensor input, Tensor weight) {
    return call(
        PRODUCT_AND_SUM, new IValue(input), new IValue(sum), new IValue(weight), NOTHING, ADD);
  }

  private static Tensor call(@Nullable NamedOperator operator, IValue... arguments) {
    if (operator == null) {
      throw new IllegalStateException(
          "this build or processor has no oneDNN operators; ask isFaster first");
    }
    return operator.call(arguments);
  }

  private static @Nullable NamedOperator find(String overload) {
    Engine.start();
    try (PointerScope scope = new PointerScope()) {
      return MEASURED.contains(torch.get_cpu_capability().getString())
          ? NamedOperator.find("mkldnn::_linear_pointwise", overload)
          : null;
    }
  }
}
