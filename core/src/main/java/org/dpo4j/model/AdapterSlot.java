package org.dpo4j.model;

import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The point of a linear layer at which an adapter adds to the output. */
public final class AdapterSlot {

  private final String path;
  private final Tensor weight;
  private final boolean transposed;
  private @Nullable Function<Node, @Nullable Product> adapter;

  AdapterSlot(String path, Tensor weight, boolean transposed) {
    this.path = path;
    this.weight = weight;
    this.transposed = transposed;
  }

  /** The layer's path in the model, as in {@code model.layers.0.self_attn.q_proj}. */
  public String path() {
    return path;
  }

  /** The layer's matrix, shape (out, in), or (in, out) if {@link #transposed}. */
  public Tensor weight() {
    return weight;
  }

  /** Whether the matrix is stored as (in, out), as in GPT-2. */
  public boolean transposed() {
    return transposed;
  }

  /** Width of the layer's input. */
  public long in() {
    return weight.size(transposed ? 0 : 1);
  }

  /** Width of the layer's output. */
  public long out() {
    return weight.size(transposed ? 1 : 0);
  }

  /**
   * Attaches an adapter. A slot takes one adapter.
   *
   * @param adapter maps the layer's input, shape (rows, in), to a product of shape (rows, out) that
   *     is added to its output, or to null if nothing is added
   * @throws IllegalStateException if an adapter is attached
   */
  public void attach(Function<Node, @Nullable Product> adapter) {
    if (this.adapter != null) {
      throw new IllegalStateException(path + " has an adapter already");
    }
    this.adapter = adapter;
  }

  /** Removes the adapter. */
  public void detach() {
    adapter = null;
  }

  /** The product that the adapter adds to the output, or null if it adds nothing. */
  @Nullable Product product(Node input) {
    return adapter == null ? null : adapter.apply(input);
  }

  /** The output plus the adapter's product. The output may be changed in place. */
  public Node add(Node output, Node input) {
    Product product = product(input);
    return product == null ? output : product.addTo(output);
  }
}
