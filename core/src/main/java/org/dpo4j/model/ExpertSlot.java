package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The point at which an adapter changes one matrix of each expert of a block. However the matrices
 * are stored, they are one parameter here, as in transformers 5.
 */
public final class ExpertSlot {

  /** An adapter, which adds a product of its own to W x for the matrix W of an expert. */
  public interface Adapter {
    /** The products of one pass. */
    Products products();
  }

  /** What an adapter adds in one pass. */
  public interface Products {
    /** Of no adapter. */
    Products NONE = (expert, input) -> null;

    /**
     * The product of one expert, shape (rows, out); null for nothing.
     *
     * @param input shape (rows, in)
     */
    @Nullable Tensor of(int expert, Tensor input);
  }

  /**
   * A weight of the model with matrices of this slot.
   *
   * @param weight its name
   * @param expert whose rows it has; {@link #ALL} for the matrices of all experts, one by one
   * @param from the first of these rows
   */
  public record Part(String weight, int expert, long from) {
    public static final int ALL = -1;
  }

  private final String path;
  private final int experts;
  private final long in;
  private final long out;
  private final boolean transposed;
  private final List<Part> parts;
  private @Nullable Adapter adapter;

  /**
   * A slot.
   *
   * @param path of the parameter, as in {@code model.layers.0.mlp.experts.gate_up_proj}
   * @param experts their number
   * @param in width of the input
   * @param out width of the output
   * @param transposed whether a matrix is stored as (in, out)
   * @param parts the weights that hold the matrices
   */
  public ExpertSlot(
      String path, int experts, long in, long out, boolean transposed, List<Part> parts) {
    this.path = path;
    this.experts = experts;
    this.in = in;
    this.out = out;
    this.transposed = transposed;
    this.parts = List.copyOf(parts);
  }

  public String path() {
    return path;
  }

  /** The path of the module that has the parameter. */
  public String module() {
    return path.substring(0, path.lastIndexOf('.'));
  }

  public int experts() {
    return experts;
  }

  public long in() {
    return in;
  }

  public long out() {
    return out;
  }

  public boolean transposed() {
    return transposed;
  }

  /** The names of the weights that hold the matrices. */
  public List<String> weights() {
    return parts.stream().map(Part::weight).toList();
  }

  /** Whether the weight of this name has matrices of the slot. */
  public boolean holds(String weight) {
    return parts.stream().anyMatch(part -> part.weight().equals(weight));
  }

  /**
   * What a weight has of the slot.
   *
   * @throws java.util.NoSuchElementException if it has nothing
   */
  public Part part(String weight) {
    return parts.stream().filter(part -> part.weight().equals(weight)).findFirst().orElseThrow();
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

  /** What the adapter adds in a pass that begins now. */
  public Products products() {
    return adapter == null ? Products.NONE : adapter.products();
  }
}
