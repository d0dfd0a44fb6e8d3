package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The point of a linear layer, or of an embedding table, at which an adapter changes the output. A
 * table is the matrix of a linear layer without a bias whose input selects one entry.
 */
public final class AdapterSlot {

  /**
   * An adapter, which makes W x + p + b of a layer's output W x + b for its product p; with
   * magnitudes m of DoRA m / |V| (W x + p) + b. With dropout d that is, as in PEFT, W x + b - W
   * d(x) + m / |V| (W d(x) + p).
   */
  public interface Adapter {
    /** The layer's input x, shape (rows, in), as the adapter sees it: d(x), or the node itself. */
    Node seen(Node input);

    /** The product p, shape (rows, out), of what the adapter sees; null if the adapter is off. */
    @Nullable Product product(Node seen);

    /** The magnitudes; null for none and if the adapter is off. */
    @Nullable Magnitudes magnitudes();

    /**
     * What the adapter of an embedding table adds to the entries that are looked up, shape (tokens,
     * out); null if it is off or on another layer.
     *
     * @param index of the entries, int64, shape (tokens)
     * @param padding an entry that gets no gradient, as in {@link CausalLm.EmbeddingTable}
     */
    default @Nullable Tensor entries(Tensor index, int padding) {
      return null;
    }

    /** Adds to the adapter's gradients, given that with respect to {@link #entries}. */
    default void addGradient(Tensor index, int padding, Tensor gradient) {}
  }

  private final String path;
  private final Tensor weight;
  private final boolean transposed;
  private final boolean table;
  private @Nullable Adapter adapter;

  AdapterSlot(String path, Tensor weight, boolean transposed, boolean table) {
    this.path = path;
    this.weight = weight;
    this.transposed = transposed;
    this.table = table;
  }

  /** The layer's path in the model, as in {@code model.layers.0.self_attn.q_proj}. */
  public String path() {
    return path;
  }

  /** The layer's matrix, shape (out, in), or (in, out) if {@link #transposed}. */
  public Tensor weight() {
    return weight;
  }

  /** Whether the matrix is stored as (in, out), as in GPT-2 and in embedding tables. */
  public boolean transposed() {
    return transposed;
  }

  /** Whether this is an embedding table, whose inputs are the indices of its entries. */
  public boolean isTable() {
    return table;
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
   * @throws IllegalStateException if an adapter is attached
   */
  public void attach(Adapter adapter) {
    if (this.adapter != null) {
      throw new IllegalStateException(path + " has an adapter already");
    }
    this.adapter = adapter;
  }

  /** Removes the adapter. */
  public void detach() {
    adapter = null;
  }

  /** The adapter of a table; null for none. */
  @Nullable Adapter adapter() {
    return adapter;
  }

  /** The product that the adapter adds to the output, or null if it adds nothing. */
  @Nullable Product product(Node input) {
    return adapter == null ? null : adapter.product(adapter.seen(input));
  }

  /** The adapter if it has magnitudes, which {@link #add} leaves out; else null. */
  @Nullable Adapter scaling() {
    return adapter == null || adapter.magnitudes() == null ? null : adapter;
  }

  /** The output plus the adapter's product. The output may be changed in place. */
  Node add(Node output, Node input) {
    Product product = product(input);
    return product == null ? output : product.addTo(output);
  }
}
