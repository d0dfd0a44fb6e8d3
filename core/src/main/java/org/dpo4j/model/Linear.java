package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * x W^T + b.
 *
 * @param weight shape (out, in)
 * @param bias shape (out), or null for none
 */
public record Linear(Tensor weight, @Nullable Tensor bias) {

  /** Takes {@code name.weight} and, if wanted, {@code name.bias}. */
  public static Linear take(
      Parameters parameters, ParameterSource source, String name, long in, long out, boolean bias) {
    return new Linear(
        parameters.take(source, name + ".weight", ParameterSource.Kind.MATRIX, out, in),
        bias ? parameters.take(source, name + ".bias", ParameterSource.Kind.BIAS, out) : null);
  }

  /**
   * Applies the layer.
   *
   * @param input shape (rows, in)
   * @return shape (rows, out)
   */
  public Tensor apply(Tensor input) {
    return bias == null
        ? torch.linear(input, weight)
        : torch.linear(input, weight, Tensors.optional(bias));
  }
}
