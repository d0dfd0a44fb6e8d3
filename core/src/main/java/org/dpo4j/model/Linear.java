package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * x W^T + b.
 *
 * @param weight shape (out, in)
 * @param bias shape (out), or null for none
 * @param slot where an adapter adds to the output; null where none can
 */
public record Linear(Matrix weight, @Nullable Tensor bias, @Nullable AdapterSlot slot) {

  /** A layer on its own that no adapter can change. */
  public Linear(Tensor weight, @Nullable Tensor bias) {
    this(new Matrix(weight), bias, null);
  }

  /** Takes {@code name.weight} and, if wanted, {@code name.bias}. */
  public static Linear take(
      Parameters parameters, ParameterSource source, String name, long in, long out, boolean bias) {
    Tensor weight = parameters.take(source, name + ".weight", ParameterSource.Kind.MATRIX, out, in);
    return new Linear(
        parameters.matrix(weight),
        bias ? parameters.take(source, name + ".bias", ParameterSource.Kind.BIAS, out) : null,
        parameters.slot(name, weight, false));
  }

  /**
   * Applies the layer.
   *
   * @param input shape (rows, in)
   * @return shape (rows, out)
   */
  public Node apply(Node input) {
    return withAdapter(input, weight.times(input.value(), true, bias));
  }

  /**
   * Applies the layer, its product written into memory that is there already.
   *
   * @param room shape (rows, out)
   */
  public Node apply(Node input, Tensor room) {
    return withAdapter(input, weight.timesInto(room, input.value(), true, bias));
  }

  private Node withAdapter(Node input, Tensor product) {
    if (weight.trained()) {
      input.keep();
    }
    Node output = input.then(product, gradient -> backward(input, gradient));
    return slot == null ? output : slot.add(output, input);
  }

  private void backward(Node input, Tensor gradient) {
    weight.addTimes(input, gradient, false);
    if (weight.trained()) {
      weight.note(input.tape(), gradient, input.value());
    }
    if (bias != null && bias.requires_grad()) {
      input.tape().sum(bias, gradient.sum(0));
    }
  }
}
