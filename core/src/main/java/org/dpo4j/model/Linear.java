package org.dpo4j.model;

import java.util.List;
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
    return apply(input, weight.times(input.value(), true, bias));
  }

  /** {@link #apply(Node)} for an output that the way back needs: it is written where it stays. */
  public Node applyKept(Node input) {
    Tensor room = input.taped() ? input.tape().room(input.value().size(0), weight.rows()) : null;
    if (room == null) {
      return apply(input);
    }
    weight.timesInto(room, input.value(), true);
    return apply(input, bias == null ? room : room.add_(bias)).placed();
  }

  private Node apply(Node input, Tensor product) {
    keep(input);
    Node output = input.then(product, gradient -> backward(input, gradient));
    return slot == null ? output : slot.add(output, input);
  }

  /**
   * Adds the layer's output to a sum, which has no other use and may be changed.
   *
   * @param sum shape (rows, out)
   * @param input shape (rows, in), of a layer without a bias
   */
  Node addTo(Node sum, Node input) {
    keep(input);
    return sum.then(
        weight.plusTimes(sum.value(), input.value(), true),
        gradient -> {
          sum.add(gradient);
          backward(input, gradient);
        });
  }

  private void keep(Node input) {
    if (weight.trained()) {
      input.keep();
    }
  }

  /** The products whose sum, with the bias, is the output: the layer's own and an adapter's. */
  public List<Product> products(Node input) {
    Product own = new Product(input, weight);
    Product added = slot == null ? null : slot.product(input);
    return added == null ? List.of(own) : List.of(own, added);
  }

  private void backward(Node input, Tensor gradient) {
    input.addTimes(weight, gradient, false);
    if (weight.trained()) {
      weight.note(input.tape(), gradient, input.value());
    }
    if (bias != null && bias.requires_grad()) {
      input.tape().sum(bias, gradient.sum(0));
    }
  }
}
