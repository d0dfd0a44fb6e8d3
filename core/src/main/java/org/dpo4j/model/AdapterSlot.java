package org.dpo4j.model;

import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The place at a linear layer where an adapter adds to what the layer computes. */
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

  /** The layer's matrix, shape (out, in), or (in, out) where {@link #transposed}. */
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
   * Puts an adapter in; there is room for one.
   *
   * @param adapter from the layer's input, shape (rows, in), to the product that is added to its
   *     output, shape (rows, out), or null where nothing is
   */
  public void attach(Function<Node, @Nullable Product> adapter) {
    if (this.adapter != null) {
      throw new IllegalStateException(path + " has an adapter already");
    }
    this.adapter = adapter;
  }

  /** Takes the adapter out. */
  public void detach() {
    adapter = null;
  }

  /** What the adapter adds to the layer's output, or null where there is nothing to add. */
  @Nullable Product product(Node input) {
    return adapter == null ? null : adapter.apply(input);
  }

  /** The layer's output, which may be changed, with what the adapter adds. */
  public Node add(Node output, Node input) {
    Product product = product(input);
    return product == null ? output : product.addTo(output);
  }
}
