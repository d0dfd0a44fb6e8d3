package org.dpo4j.torch;

import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorType;
import org.bytedeco.pytorch.Type;

/**
 * libtorch's update of AdamW in one way over memory, for which the binding has no method: half the
 * time of the same update operation by operation. One object is for one step, and for all threads;
 * it belongs to the scope in which it is made.
 */
public final class FusedAdamW {

  private static final NamedOperator UPDATE = NamedOperator.get("aten::_fused_adamw_", "");

  private final Type.TypePtr tensorType = new Type.TypePtr((Type) TensorType.get());

  // Made once: anew for each piece of the weights they would cost it 15 microseconds.
  private final IValue step;
  private final IValue learningRate;
  private final IValue beta1;
  private final IValue beta2;
  private final IValue epsilon;
  private final IValue nothing = new IValue();
  private final IValue no = new IValue(false);
  private final IValue noTensors = list();

  /**
   * A step's update.
   *
   * @param step its number, from 1
   */
  public FusedAdamW(int step, double learningRate, double beta1, double beta2, double epsilon) {
    this.step = list(Tensors.floats(step));
    this.learningRate = new IValue(learningRate);
    this.beta1 = new IValue(beta1);
    this.beta2 = new IValue(beta2);
    this.epsilon = new IValue(epsilon);
  }

  /**
   * Updates some weights; all vectors have one length and one floating type.
   *
   * @param means changed, as are {@code squares} and {@code weights}
   */
  public void update(
      Tensor weights, Tensor gradients, Tensor means, Tensor squares, double weightDecay) {
    UPDATE.run(
        list(weights),
        list(gradients),
        list(means),
        list(squares),
        noTensors, // no largest squares
        step,
        learningRate,
        beta1,
        beta2,
        new IValue(weightDecay),
        epsilon,
        no, // amsgrad
        no, // maximize
        nothing, // no scale of the gradients
        nothing); // nor a mark that they are not finite
  }

  private IValue list(Tensor... tensors) {
    // Not the list's constructor that takes a TensorType: it takes any pointer for a list.
    GenericList list = new GenericList(tensorType);
    for (Tensor tensor : tensors) {
      list.push_back(new IValue(tensor));
    }
    return new IValue(list);
  }
}
