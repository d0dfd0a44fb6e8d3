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
  public Node apply(Node input) {
    return withAdapter(
        input,
        bias == null
            ? torch.linear(input.value(), weight)
            : torch.linear(input.value(), weight, Tensors.optional(bias)));
  }

  /**
   * Applies the layer, its product written into memory that is there already.
   *
   * @param room shape (rows, out)
   */
  public Node apply(Node input, Tensor room) {
    return withAdapter(
        input,
        bias == null
            ? torch.mm_out(room, input.value(), weight.t())
            : torch.addmm_out(room, bias, input.value(), weight.t()));
  }

  private Node withAdapter(Node input, Tensor product) {
    if (weight.requires_grad()) {
      input.keep();
    }
    Node output = input.then(product, gradient -> backward(input, gradient));
    return slot == null ? output : slot.add(output, input);
  }

  private void backward(Node input, Tensor gradient) {
    input.addProduct(gradient, weight);
    if (weight.requires_grad()) {
      Tape tape = input.tape();
      tape.product(weight, tape.keep(gradient), input.hold());
    }
    if (bias != null && bias.requires_grad()) {
      input.tape().sum(bias, gradient.sum(0));
    }
  }
}
