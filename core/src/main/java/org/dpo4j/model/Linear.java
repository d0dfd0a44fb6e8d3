package org.dpo4j.model;

import java.util.List;
import java.util.Objects;
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
    AdapterSlot.Adapter scaling = scaling();
    return scaling == null ? added(own(input, bias), input) : scaled(input, scaling);
  }

  private AdapterSlot.@Nullable Adapter scaling() {
    return slot == null ? null : slot.scaling();
  }

  private Node added(Node output, Node input) {
    return slot == null ? output : slot.add(output, input);
  }

  /** The layer's output without an adapter. */
  private Node own(Node input, @Nullable Tensor shift) {
    return own(input, weight.times(input.value(), !transposed, shift), shift);
  }

  private Node own(Node input, Tensor product, @Nullable Tensor shift) {
    saveForGradient(input);
    return input.then(product, gradient -> backward(input, gradient, shift));
  }

  private Node scaled(Node input, AdapterSlot.Adapter adapter) {
    Magnitudes magnitudes = Objects.requireNonNull(adapter.magnitudes());
    Node seen = adapter.seen(input);
    Product product = Objects.requireNonNull(adapter.product(seen));
    if (seen == input) {
      return magnitudes.scale(product.addTo(own(input, null)), bias);
    }
    Node whole = own(input, bias);
    Node part = own(seen, null);
    Node rest =
        whole.then(
            whole.value().sub(part.value()),
            gradient -> {
              whole.accumulate(gradient);
              part.accumulateOwned(gradient.neg());
            });
    return rest.plus(magnitudes.scale(product.addTo(part), null));
  }

  /** As {@link #apply(Node)}, for an output that will be saved: it is computed in the arena. */
  public Node applyInArena(Node input) {
    AdapterSlot.Adapter scaling = scaling();
    Tensor out =
        input.taped() && !transposed && scaling == null
            ? input.tape().allocate(input.value().size(0), weight.rowCount())
            : null;
    if (out == null) {
      return apply(input);
    }
    weight.timesInto(out, input.value(), true);
    Node output = own(input, bias == null ? out : out.add_(bias), bias);
    return added(output, input).alreadyInArena();
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
          backward(input, gradient, null);
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

  private void backward(Node input, Tensor gradient, @Nullable Tensor shift) {
    input.accumulateProduct(weight, gradient, transposed);
    if (weight.trained()) {
      weight.recordGradient(
          input.tape(),
          transposed ? input.value() : gradient,
          transposed ? gradient : input.value());
    }
    if (shift != null && shift.requires_grad()) {
      input.tape().recordVectorGradient(shift, gradient.sum(0));
    }
  }
}
