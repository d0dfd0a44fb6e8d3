package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A linear layer: x W^T + b, or x W + b with the matrix as GPT-2 stores it.
 *
 * @param weight shape (out, in), or (in, out) if transposed
 * @param transposed whether the matrix is stored as (in, out)
 * @param bias shape (out), or null for none
 * @param slot for an adapter; null for none
 */
public record Linear(
    Matrix weight, boolean transposed, @Nullable Tensor bias, @Nullable AdapterSlot slot) {

  /** A layer without a slot for an adapter; the matrix has shape (out, in). */
  public Linear(Tensor weight, @Nullable Tensor bias) {
    this(new Matrix(weight), false, bias, null);
  }

  /** As below, with a matrix of shape (out, in). */
  public static Linear take(
      Parameters parameters, ParameterSource source, String name, long in, long out, boolean bias) {
    return take(parameters, source, name, in, out, bias, false);
  }

  /** Takes {@code name.weight} and, if {@code bias}, {@code name.bias}. */
  public static Linear take(
      Parameters parameters,
      ParameterSource source,
      String name,
      long in,
      long out,
      boolean bias,
      boolean transposed) {
    long[] shape = transposed ? new long[] {in, out} : new long[] {out, in};
    Tensor weight = parameters.take(source, name + ".weight", ParameterSource.Kind.MATRIX, shape);
    return new Linear(
        parameters.matrix(weight),
        transposed,
        bias ? parameters.take(source, name + ".bias", ParameterSource.Kind.BIAS, out) : null,
        parameters.slot(name, weight, transposed));
  }

  /**
   * Applies the layer.
   *
   * @param input shape (rows, in)
   * @return shape (rows, out)
   */
  public Node apply(Node input) {
    return apply(input, weight.times(input.value(), !transposed, bias));
  }

  /** As {@link #apply(Node)}, for an output that will be saved: it is computed in the arena. */
  public Node applyInArena(Node input) {
    Tensor out =
        input.taped() && !transposed
            ? input.tape().allocate(input.value().size(0), weight.rowCount())
            : null;
    if (out == null) {
      return apply(input);
    }
    weight.timesInto(out, input.value(), true);
    return apply(input, bias == null ? out : out.add_(bias)).alreadyInArena();
  }

  private Node apply(Node input, Tensor product) {
    saveForGradient(input);
    Node output = input.then(product, gradient -> backward(input, gradient));
    return slot == null ? output : slot.add(output, input);
  }

  /**
   * Adds the output of a layer without a bias to a sum.
   *
   * @param sum shape (rows, out); may be changed in place
   * @param input shape (rows, in)
   */
  Node addTo(Node sum, Node input) {
    saveForGradient(input);
    return sum.then(
        weight.plusTimes(sum.value(), input.value(), !transposed),
        gradient -> {
          sum.accumulate(gradient);
          backward(input, gradient);
        });
  }

  private void saveForGradient(Node input) {
    if (weight.trained()) {
      input.saveForBackward();
    }
  }

  /** The products whose sum, plus the bias, is the output: the layer's and the adapter's. */
  public List<Product> products(Node input) {
    Product own = new Product(input, weight);
    Product added = slot == null ? null : slot.product(input);
    return added == null ? List.of(own) : List.of(own, added);
  }

  private void backward(Node input, Tensor gradient) {
    input.accumulateProduct(weight, gradient, transposed);
    if (weight.trained()) {
      weight.recordGradient(
          input.tape(),
          transposed ? input.value() : gradient,
          transposed ? gradient : input.value());
    }
    if (bias != null && bias.requires_grad()) {
      input.tape().recordVectorGradient(bias, gradient.sum(0));
    }
  }
}
