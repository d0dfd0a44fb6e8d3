package org.dpo4j.model.gpt;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.Matrix;
import org.dpo4j.model.Node;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;

/**
 * GPT-2's linear layer, x W + b, whose matrix is the transpose of a {@link
 * org.dpo4j.model.Linear}'s.
 *
 * @param weight shape (in, out)
 * @param bias shape (out)
 * @param slot for an adapter
 */
record Conv1D(Matrix weight, Tensor bias, AdapterSlot slot) {

  /** Takes {@code name.weight} and {@code name.bias}. */
  static Conv1D take(
      Parameters parameters, ParameterSource source, String name, long in, long out) {
    Tensor weight = parameters.take(source, name + ".weight", ParameterSource.Kind.MATRIX, in, out);
    return new Conv1D(
        parameters.matrix(weight),
        parameters.take(source, name + ".bias", ParameterSource.Kind.BIAS, out),
        parameters.slot(name, weight, true));
  }

  /** Applies the layer: shape (rows, in) in, (rows, out) out. */
  Node apply(Node input) {
    if (weight.trained()) {
      input.saveForBackward();
    }
    Node output =
        input.then(weight.times(input.value(), false, bias), gradient -> backward(input, gradient));
    return slot.add(output, input);
  }

  private void backward(Node input, Tensor gradient) {
    input.accumulateProduct(weight, gradient, true);
    if (weight.trained()) {
      weight.recordGradient(input.tape(), input.value(), gradient);
    }
    if (bias.requires_grad()) {
      input.tape().recordVectorGradient(bias, gradient.sum(0));
    }
  }
}
