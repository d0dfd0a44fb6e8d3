package org.dpo4j.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.ActivationArena;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The record of one thread's rows through a part of a model: the backward formulas of its layers,
 * and the tensors that these need. Layers record during the forward pass; {@link #endForward} frees
 * what was not saved; {@link #backward} runs the formulas in reverse. Gradients of matrices are not
 * computed here but recorded as two factors, so that {@link WeightGradients} can compute them for
 * the rows of all threads together.
 */
public final class Tape implements AutoCloseable {

  /**
   * The gradient of a trained matrix: the sum of left^T right over the tapes of all threads.
   *
   * @param weight the matrix, shape (m, n)
   * @param left shape (rows, m)
   * @param right shape (rows, n)
   */
  record MatrixGradient(Tensor weight, Tensor left, Tensor right) {}

  /**
   * The gradient of a trained vector, or of one for each expert, from this tape's rows.
   *
   * @param weight shape (n), or (experts, n)
   * @param gradient of the same shape
   */
  record VectorGradient(Tensor weight, Tensor gradient) {}

  /**
   * The gradients of a matrix for each expert: of each the sum of left^T right over its own rows of
   * the tapes of all threads.
   *
   * @param matrices of which some are trained
   * @param routing which rows are whose
   * @param left shape (uses, m) for matrices of shape (m, n)
   * @param right shape (uses, n)
   */
  record ExpertGradient(ExpertMatrices matrices, Routing routing, Tensor left, Tensor right) {}

  private enum State {
    FORWARD,
    SAVED,
    FINISHED
  }

  private final @Nullable DropoutMasks dropout;
  private final @Nullable ActivationArena arena;
  private final List<Tensor> held = new ArrayList<>(); // handles that keep memory alive
  private final List<Node> nodes = new ArrayList<>();
  private final List<Runnable> formulas = new ArrayList<>(); // in the order of the forward pass
  private final List<MatrixGradient> matrixGradients = new ArrayList<>();
  private final List<VectorGradient> vectorGradients = new ArrayList<>();
  private final List<ExpertGradient> expertGradients = new ArrayList<>();
  private long heapBytes;
  private State state = State.FORWARD;

  /**
   * An empty tape.
   *
   * @param dropout masks of the rows; null for a pass without dropout
   */
  public Tape(@Nullable DropoutMasks dropout) {
    this(dropout, null);
  }

  /**
   * An empty tape.
   *
   * @param dropout masks of the rows; null for a pass without dropout
   * @param arena memory for saved activations, which outlives the tape; null to save them on the
   *     heap
   */
  Tape(@Nullable DropoutMasks dropout, @Nullable ActivationArena arena) {
    this.dropout = dropout;
    this.arena = arena;
  }

  /**
   * A node that this part of the model starts from.
   *
   * @param tape null for a pass without a backward pass
   * @param outlivesTape whether the caller keeps the value's memory until the tape is closed; else
   *     a layer that needs the value in the backward pass saves it
   */
  public static Node leaf(@Nullable Tape tape, Tensor value, boolean outlivesTape) {
    if (tape == null) {
      return Node.of(value);
    }
    return outlivesTape ? Node.savedLeaf(tape, tape.hold(value)) : Node.leaf(tape, value);
  }

  /** Arena memory for an activation that will be saved; null if this tape has no arena. */
  @Nullable Tensor allocate(long... shape) {
    return arena == null ? null : arena.take(shape);
  }

  void track(Node node) {
    nodes.add(node);
  }

  /** Adds a backward formula. Formulas run in reverse order. */
  void record(Runnable formula) {
    if (state != State.FORWARD) {
      throw new IllegalStateException("a layer was applied after its tape's forward pass ended");
    }
    formulas.add(formula);
  }

  /** Saves a small tensor for the backward pass. The result is valid until the tape is closed. */
  public Tensor save(Tensor tensor) {
    heapBytes += tensor.numel() * tensor.element_size();
    return hold(tensor);
  }

  /** As {@link #save}, in the arena if there is one: the tensor's own memory can be freed. */
  Tensor saveInArena(Tensor tensor) {
    Tensor memory = allocate(tensor.shape());
    return memory == null ? save(tensor) : hold(memory.copy_(tensor));
  }

  /** A handle, until the tape is closed, of a tensor whose memory somebody else accounts for. */
  Tensor hold(Tensor tensor) {
    Tensor handle = TensorScope.ownedHandle(tensor);
    held.add(handle);
    return handle;
  }

  /** Bytes that this tape saves outside the arena. */
  long heapBytes() {
    return heapBytes;
  }

  /** Ends the forward pass and releases every value that was not saved. */
  public void endForward() {
    require(State.FORWARD, "the forward pass of this tape has ended already");
    nodes.forEach(Node::release);
    state = State.SAVED;
  }

  /**
   * Runs the backward pass, once. Afterwards the leaves have their gradients, and those of weights
   * are recorded.
   *
   * @param outputs of the forward pass
   * @param gradients of the loss with respect to them
   */
  public void backward(List<Node> outputs, List<Tensor> gradients) {
    require(
        State.SAVED,
        state == State.FORWARD
            ? "endForward must be called before backward"
            : "a tape runs its backward pass once, and this one has");
    state = State.FINISHED;
    for (int i = 0; i < outputs.size(); i++) {
      outputs.get(i).accumulate(gradients.get(i));
    }
    for (int i = formulas.size() - 1; i >= 0; i--) {
      formulas.get(i).run();
    }
    formulas.clear();
    nodes.forEach(Node::release);
  }

  private void require(State expected, String message) {
    if (state != expected) {
      throw new IllegalStateException(message);
    }
  }

  /**
   * Records the gradient left^T right of a matrix, if it is trained. A matrix can be used once per
   * tape: threads compute parts of all recorded gradients at the same time.
   *
   * @param left shape (rows, m) for a matrix of shape (m, n)
   * @param right shape (rows, n)
   */
  void recordMatrixGradient(Tensor weight, Tensor left, Tensor right) {
    if (!weight.requires_grad()) {
      return;
    }
    if (matrixGradients.stream().anyMatch(gradient -> gradient.weight().is_same(weight))) {
      throw new IllegalStateException(
          "a matrix can be used once in a part of a block but one of shape "
              + Arrays.toString(weight.shape())
              + " was used twice");
    }
    matrixGradients.add(new MatrixGradient(weight, hold(left), hold(right)));
  }

  /** Records the gradient of a vector, summed over the rows. */
  public void recordVectorGradient(Tensor weight, Tensor gradient) {
    vectorGradients.add(new VectorGradient(weight, hold(gradient)));
  }

  /** As {@link #recordMatrixGradient}, for the matrices of experts of which some are trained. */
  void recordExpertGradient(ExpertMatrices matrices, Routing routing, Tensor left, Tensor right) {
    if (expertGradients.stream().anyMatch(gradient -> gradient.matrices().sameAs(matrices))) {
      throw new IllegalStateException(
          "the matrices of experts can be used once in a part of a block but some were used twice");
    }
    expertGradients.add(new ExpertGradient(matrices, routing, hold(left), hold(right)));
  }

  List<ExpertGradient> expertGradients() {
    return expertGradients;
  }

  List<MatrixGradient> matrixGradients() {
    return matrixGradients;
  }

  List<VectorGradient> vectorGradients() {
    return vectorGradients;
  }

  @Nullable DropoutMasks dropout() {
    return dropout;
  }

  @Override
  public void close() {
    state = State.FINISHED;
    held.forEach(Tensors::free);
    held.clear();
    nodes.clear();
    formulas.clear();
    matrixGradients.clear();
    vectorGradients.clear();
    expertGradients.clear();
  }
}
