package org.dpo4j.model;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The point at which an adapter changes one matrix of each expert of a block. However the matrices
 * are stored, they are one parameter here, as in transformers 5.
 */
public final class ExpertSlot {

  /** An adapter, which adds s B_e A_e x to W_e x for the matrix W_e of each expert e. */
  public interface Adapter {
    /** The factors now; null if the adapter is off. */
    @Nullable Factors factors();
  }

  /**
   * The factors of an adapter.
   *
   * @param a matrices of shape (rank, in)
   * @param b matrices of shape (out, rank)
   * @param scale s
   */
  public record Factors(ExpertMatrices a, ExpertMatrices b, double scale) {

    /** s A_e x, shape (uses, rank). */
    private Node low(Node rows, Routing routing) {
      return a.apply(rows, routing).times(scale);
    }
  }

  /** The products of an adapter for some rows; of an adapter that is off nothing. */
  public static final class Products {
    private final @Nullable Factors factors;
    private final @Nullable Node low;
    private final Routing routing;

    private Products(@Nullable Factors factors, @Nullable Node low, Routing routing) {
      this.factors = factors;
      this.low = low;
      this.routing = routing;
    }

    /** Adds the products to a sum of shape (uses, out), which may be changed in place. */
    public Node addTo(Node sum) {
      return factors == null || low == null ? sum : factors.b().addTo(sum, low, routing);
    }

    /** As {@link #addTo(Node)}, of {@code count} outputs. */
    public Node addTo(Node sum, long from, long count) {
      return factors == null || low == null
          ? sum
          : factors.b().outputs(from, count).addTo(sum, low, routing);
    }
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

  /**
   * The products that the adapter adds, once for each routing.
   *
   * @param rows shape (uses, in)
   */
  public Products products(Node rows, Routing routing) {
    Factors factors = adapter == null ? null : adapter.factors();
    return new Products(factors, factors == null ? null : factors.low(rows, routing), routing);
  }
}
