package org.dpo4j.torch;

import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The backward pass of a softmax in one operation, which libtorch offers only to autograd. */
public final class Softmax {

  private static final NamedOperator BACKWARD =
      NamedOperator.get("aten::_softmax_backward_data", "out");
  private static final IValue LAST_DIMENSION = NamedOperator.forever(new IValue(-1L));

  private Softmax() {}

  /**
   * Computes dS = P (dP - sum(dP P)) in place, with the sum over the last dimension.
   *
   * @param gradient dP, the gradient with respect to the softmax; overwritten by dS, the gradient
   *     with respect to its input
   * @param softmax P, of the same shape and type
   */
  public static void backward(Tensor gradient, Tensor softmax) {
    ScalarType type = gradient.scalar_type().intern();
    BACKWARD.run(
        new IValue(gradient),
        new IValue(softmax),
        LAST_DIMENSION,
        new IValue((long) type.value),
        new IValue(gradient));
  }
}
