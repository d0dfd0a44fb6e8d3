package org.dpo4j.torch;

import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The way back through a softmax, which libtorch computes in one go but offers to autograd only.
 */
public final class Softmax {

  private static final NamedOperator BACKWARD =
      NamedOperator.get("aten::_softmax_backward_data", "out");
  private static final IValue LAST_DIMENSION = NamedOperator.forever(new IValue(-1L));

  private Softmax() {}

  /**
   * dS = P (dP - sum(dP P)), the sum over the last dimension, where dP was.
   *
   * @param gradient dP, of the loss by the softmax; becomes dS, that by what the softmax was of
   * @param softmax P, same shape and type
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
