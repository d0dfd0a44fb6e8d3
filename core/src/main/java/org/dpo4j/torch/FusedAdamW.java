package org.dpo4j.torch;

import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorType;
import org.bytedeco.pytorch.Type;

/**
 * libtorch's update of AdamW in one way over memory, for which the binding has no method: half the
 * time of the same update operation by operation. Belongs to the scope in which it is made.
 */
public final class FusedAdamW {

  private final OperatorHandle operator =
      Dispatcher.singleton().findSchemaOrThrow("aten::_fused_adamw_", "");

  /**
   * Updates some weights; all vectors have one length and one floating type.
   *
   * @param step number of the step, from 1; one element in 32 bits
   * @param means changed, as are {@code squares} and {@code weights}
   */
  public void update(
      Tensor weights,
      Tensor gradients,
      Tensor means,
      Tensor squares,
      Tensor step,
      double learningRate,
      double beta1,
      double beta2,
      double weightDecay,
      double epsilon) {
    operator.callBoxed(
        new IValueVector(
            list(weights),
            list(gradients),
            list(means),
            list(squares),
            list(), // no largest squares
            list(step),
            new IValue(learningRate),
            new IValue(beta1),
            new IValue(beta2),
            new IValue(weightDecay),
            new IValue(epsilon),
            new IValue(false), // amsgrad
            new IValue(false), // maximize
            new IValue(), // no scale of the gradients
            new IValue())); // nor a mark that they are not finite
  }

  private static IValue list(Tensor... tensors) {
    // Not the list's constructor that takes a TensorType: it takes any pointer for a list.
    GenericList list = new GenericList(new Type.TypePtr((Type) TensorType.get()));
    for (Tensor tensor : tensors) {
      list.push_back(new IValue(tensor));
    }
    return new IValue(list);
  }
}
