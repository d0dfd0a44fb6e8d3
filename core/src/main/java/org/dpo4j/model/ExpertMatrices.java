package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * A matrix for each expert of a block, which multiplies the rows that a {@link Routing} gives to
 * its expert. Matrices of experts without rows are not read.
 */
public final class ExpertMatrices {

  /** The matrix of an expert in the weight that holds it. */
  private interface View {
    Tensor of(Tensor weight, int expert);
  }

  private final List<Matrix> weights; // one for each expert, or one for all
  private final View view;
  private final boolean transposed;
  private final long from; // first output of the matrices in the weight

  private ExpertMatrices(List<Matrix> weights, View view, boolean transposed, long from) {
    this.weights = List.copyOf(weights);
    this.view = view;
    this.transposed = transposed;
    this.from = from;
  }

  /** Matrices that are weights of their own, each of shape (out, in). */
  public static ExpertMatrices apart(List<Matrix> matrices) {
    return new ExpertMatrices(matrices, (weight, expert) -> weight, false, 0);
  }

  /**
   * Matrices that are one weight.
   *
   * @param weight shape (experts, out, in), or (experts, in, out) if transposed
   */
  public static ExpertMatrices stacked(Matrix weight, boolean transposed) {
    return new ExpertMatrices(
        List.of(weight), (all, expert) -> all.select(0, expert), transposed, 0);
  }

  /**
   * The factors A of PEFT's adapters on experts.
   *
   * @param weight shape (experts x rank, in), expert by expert
   */
  public static ExpertMatrices stackedRows(Tensor weight, int experts) {
    long rank = weight.size(0) / experts;
    return new ExpertMatrices(
        List.of(new Matrix(weight)), (all, expert) -> all.narrow(0, expert * rank, rank), false, 0);
  }

  /**
   * The factors B of PEFT's adapters on experts.
   *
   * @param weight shape (out, rank x experts): column j of expert e is at j x experts + e
   */
  public static ExpertMatrices interleavedColumns(Tensor weight, int experts) {
    return new ExpertMatrices(
        List.of(new Matrix(weight)),
        (all, expert) -> all.view(all.size(0), -1, experts).select(2, expert),
        false,
        0);
  }

  /** The matrices of the same experts that give {@code count} of their outputs. */
  public ExpertMatrices outputs(long first, long count) {
    return new ExpertMatrices(
        weights,
        (all, expert) -> view.of(all, expert).narrow(transposed ? 1 : 0, first, count),
        transposed,
        from + first);
  }

  /**
   * Multiplies each row by the matrix of its expert.
   *
   * @param rows shape (uses, in), in the order of the experts
   * @return shape (uses, out)
   */
  public Node apply(Node rows, Routing routing) {
    return apply(rows, routing, product(rows.value(), routing));
  }

  /** As {@link #apply(Node, Routing)}, for a result that will be saved: it is in the arena. */
  public Node applyInArena(Node rows, Routing routing) {
    Tensor memory = rows.taped() ? rows.tape().allocate(rows.value().size(0), width()) : null;
    return memory == null
        ? apply(rows, routing)
        : apply(rows, routing, productInto(memory, rows.value(), routing, !transposed))
            .alreadyInArena();
  }

  private Node apply(Node rows, Routing routing, Tensor product) {
    saveForGradient(rows);
    return rows.then(product, gradient -> backward(rows, routing, gradient));
  }

  /**
   * Adds the products to a sum.
   *
   * @param sum shape (uses, out), the result of a product; changed in place, so that no backward
   *     formula may read it
   * @param rows shape (uses, in)
   */
  public Node addTo(Node sum, Node rows, Routing routing) {
    saveForGradient(rows);
    Tensor product = product(rows.value(), routing);
    return sum.then(
            GradMode.is_enabled() ? sum.value().add(product) : sum.value().add_(product),
            gradient -> {
              sum.accumulate(gradient);
              backward(rows, routing, gradient);
            })
        .inMemoryOf(sum);
  }

  private void saveForGradient(Node rows) {
    if (anyTrained()) {
      rows.saveForBackward();
    }
  }

  private void backward(Node rows, Routing routing, Tensor gradient) {
    long in = of(0).values().size(transposed ? 0 : 1);
    Tensor byRows = Tensors.emptyLike(gradient, gradient.size(0), in);
    rows.accumulateOwned(productInto(byRows, gradient, routing, transposed));
    if (anyTrained()) {
      Tensor left = transposed ? rows.value() : gradient;
      Tensor right = transposed ? gradient : rows.value();
      Matrix like = weights.get(0);
      rows.tape().recordExpertGradient(this, routing, like.factor(left), like.factor(right));
    }
  }

  /** Adds to the gradient of an expert's matrix, if it is trained. */
  void addGradient(int expert, Tape.ExpertGradient gradient) {
    Matrix matrix = of(expert);
    Routing.Run run = gradient.routing().run(expert);
    if (run.count() > 0 && matrix.trained()) {
      matrix.addGradient(run.of(gradient.left()), run.of(gradient.right()));
    }
  }

  /** Whether both are the same parts of the same weights. */
  boolean sameAs(ExpertMatrices other) {
    return from == other.from && weights.get(0).values().is_same(other.weights.get(0).values());
  }

  private Tensor product(Tensor rows, Routing routing) {
    if (!GradMode.is_enabled()) {
      Tensor memory = Tensors.emptyLike(rows, rows.size(0), width());
      return productInto(memory, rows, routing, !transposed);
    }
    List<Tensor> parts = new ArrayList<>(); // autograd does not follow changes in place as fast
    for (Routing.Run run : routing.runs()) {
      parts.add(of(run.expert()).times(run.of(rows), !transposed));
    }
    return Tensors.cat(parts, 0);
  }

  private Tensor productInto(Tensor memory, Tensor rows, Routing routing, boolean transpose) {
    for (Routing.Run run : routing.runs()) {
      try (TensorScope scope = TensorScope.open()) {
        of(run.expert()).timesInto(run.of(memory), run.of(rows), transpose);
      }
    }
    return memory;
  }

  /** Number of outputs. */
  private long width() {
    return of(0).values().size(transposed ? 1 : 0);
  }

  private boolean anyTrained() {
    return weights.stream().anyMatch(Matrix::trained);
  }

  private Matrix of(int expert) {
    return weights.get(weights.size() == 1 ? 0 : expert).part(weight -> view.of(weight, expert));
  }
}
