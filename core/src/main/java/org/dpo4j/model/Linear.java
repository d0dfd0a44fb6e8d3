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
 * @param slot where an adapter adds to the output; null where none can
 */
public record Linear(Tensor weight, @Nullable Tensor bias, @Nullable AdapterSlot slot) {

  /** A layer that no adapter can change. */
  public Linear(Tensor weight, @Nullable Tensor bias) {
    this(weight, bias, null);
  }

  /** Takes {@code name.weight} and, if wanted, {@code name.bias}. */
  public static Linear take(
      Parameters parameters, ParameterSource source, String name, long in, long out, boolean bias) {
    Tensor weight = parameters.take(source, name + ".weight", ParameterSource.Kind.MATRIX, out, in);
    return new Linear(
        weight,
        bias ? parameters.take(source, name + ".bias", ParameterSource.Kind.BIAS, out) : null,
        parameters.slot(name, weight, false));
  }

  /**
   * Applies the layer.
   *
   * @param input shape (rows, in)
   * @return shape (rows, out)
   */
  public Tensor apply(Tensor input) {
    Tensor output =
        bias == null
            ? torch.linear(input, weight)
            : torch.linear(input, weight, Tensors.optional(bias));
    return slot == null ? output : slot.add(output, input);
  }
}
