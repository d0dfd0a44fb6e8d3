package org.dpo4j.torch;

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
 * Products of 32-bit matrices by oneDNN, which libtorch brings along and asks in 32 bits only
 * through operators of its compiler. With AVX-512 they take 5 to 30 % less time than OpenBLAS's for
 * a matrix that is in no cache (LOG.md); elsewhere nobody has measured, and libtorch's own choice
 * stands. Sums are in 32 bits as well, in another order.
 */
public final class OneDnn {

  /** Multiplications from which calling by name costs less than it gives. */
  private static final long WORTH_IT = 1 << 23;

  private static final long LEAST_ROWS = 8;

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
   * Whether to multiply x W^T here: it is known to be faster, and autograd does not record, which
   * these operators have no derivative for.
   *
   * @param input x, shape (rows, in)
   * @param weight W, shape (out, in); any strides
   */
  public static boolean isFaster(Tensor input, Tensor weight) {
    return PRODUCT != null
        && PRODUCT_AND_SUM != null
        && input.size(0) >= LEAST_ROWS
        && input.numel() * weight.size(0) >= WORTH_IT
        && isFloat(input)
        && isFloat(weight)
        && !GradMode.is_enabled();
  }

  private static boolean isFloat(Tensor tensor) {
    return tensor.scalar_type().intern() == torch.ScalarType.Float;
  }

  /**
   * x W^T + b.
   *
   * @param bias b, shape (out); null for none
   */
  public static Tensor product(Tensor input, Tensor weight, @Nullable Tensor bias) {
    IValue added = bias == null ? NOTHING : new IValue(bias);
    return call(
        PRODUCT, new IValue(input), new IValue(weight), added, NO_ACTIVATION, NO_SCALARS, NOTHING);
  }

  /**
   * S + x W^T, a new tensor.
   *
   * @param sum S, shape (rows, out)
   */
  public static Tensor productAndSum(Tensor sum, Tensor input, Tensor weight) {
    return call(
        PRODUCT_AND_SUM, new IValue(input), new IValue(sum), new IValue(weight), NOTHING, ADD);
  }

  private static Tensor call(@Nullable NamedOperator operator, IValue... arguments) {
    if (operator == null) {
      throw new IllegalStateException("libtorch was built without oneDNN; ask isFaster first");
    }
    return operator.call(arguments);
  }

  private static @Nullable NamedOperator find(String overload) {
    Engine.start();
    try (PointerScope scope = new PointerScope()) {
      return torch.get_cpu_capability().getString().equals("AVX512")
          ? NamedOperator.find("mkldnn::_linear_pointwise", overload)
          : null;
    }
  }
}
