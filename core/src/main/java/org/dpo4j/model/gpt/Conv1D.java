package org.dpo4j.model.gpt;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;

/**
 * x W + b: GPT-2's linear layer, whose matrix is stored the other way round than a {@link
 * org.dpo4j.model.Linear}'s.
 *
 * @param weight shape (in, out)
 * @param bias shape (out)
 */
record Conv1D(Tensor weight, Tensor bias) {

  /** Takes {@code name.weight} and {@code name.bias}. */
  static Conv1D take(
      Parameters parameters, ParameterSource source, String name, long in, long out) {
    return new Conv1D(
        parameters.take(source, name + ".weight", ParameterSource.Kind.MATRIX, in, out),
        parameters.take(source, name + ".bias", ParameterSource.Kind.BIAS, out));
  }

  /** Shape (rows, in) in, (rows, out) out. */
  Tensor apply(Tensor input) {
    return torch.addmm(bias, input, weight);
  }
}
