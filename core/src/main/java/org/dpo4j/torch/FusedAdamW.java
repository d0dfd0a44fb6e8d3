package org.dpo4j.torch;

import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorType;
import org.bytedeco.pytorch.Type;

/**
 * libtorch's fused AdamW update, which passes over memory once and takes half the time of separate
 * operations; the binding has no method for it. One object serves one step and all threads. It
 * belongs to the scope in which it is made.
 */
public final class FusedAdamW {

  private static final NamedOperator UPDATE = NamedOperator.get("aten::_fused_adamw_", "");

  private final Type.TypePtr tensorType = new Type.TypePtr((Type) TensorType.get());

  // Made once per step: making them for each part of the weights would take 15 microseconds.
  private final IValue step;
  private final IValue learningRate;
  private final IValue beta1;
  private final IValue beta2;
  private final IValue epsilon;
  private final IValue nothing = new IValue();
  private final IValue no = new IValue(false);
  private final IValue noTensors = list();

  /**
   * The update of one step.
   *
   * @param step number of the step, from 1
   * @param like on the device of the weights
   */
  public FusedAdamW(
      Tensor like, int step, double learningRate, double beta1, double beta2, double epsilon) {
    this.step = list(Tensors.like(like, step));
    this.learningRate = new IValue(learningRate);
    this.beta1 = new IValue(beta1);
    this.beta2 = new IValue(beta2);
    this.epsilon = new IValue(epsilon);
  }

  /**
   * Updates weights in place. All tensors are vectors of one length and floating type.
   *
   * @param means first moments, updated in place
   * @param squares second moments, updated in place
   */
  public void update(
      Tensor weights, Tensor gradients, Tensor means, Tensor squares, double weightDecay) {
    UPDATE.run(
        list(weights),
        list(gradients),
        list(means),
        list(squares),
        noTensors, // no maximum of the squares (amsgrad)
        step,
        learningRate,
        beta1,
        beta2,
        new IValue(weightDecay),
        epsilon,
        no, // amsgrad
        no, // maximize
        nothing, // no scale of the gradients
        nothing); // no flag for infinite gradients
  }

  private IValue list(Tensor... tensors) {
    // The list's constructor that takes a TensorType would interpret the pointer as a list.
    GenericList list = new GenericList(tensorType);
    for (Tensor tensor : tensors) {
      list.push_back(new IValue(tensor));
    }
    return new IValue(list);
  }
}
