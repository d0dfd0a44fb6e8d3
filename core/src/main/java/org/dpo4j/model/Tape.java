package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.ActivationArena;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * How to go back through a part of a model, written down on the way forward by the layers
 * themselves, for the rows of one thread. Gradients of matrices are not computed here but noted:
 * {@link WeightGradients} computes them for all rows, shared out by weight.
 */
public final class Tape implements AutoCloseable {

  /**
   * A product whose matrix is trained: the gradient grows by left^T right.
   *
   * @param weight the matrix
   * @param left shape (rows, weight's rows)
   * @param right shape (rows, weight's columns)
   */
  record Product(Tensor weight, Tensor left, Tensor right) {}

  /**
   * A vector that is trained: the gradient grows by the sum.
   *
   * @param weight shape (n)
   * @param sum over rows, shape (n)
   */
  record Sum(Tensor weight, Tensor sum) {}

  private final @Nullable DropoutMasks dropout;
  private final @Nullable ActivationArena slab;
  private final List<Tensor> kept = new ArrayList<>();
  private final List<Node> tracked = new ArrayList<>();
  private final List<Runnable> steps = new ArrayList<>();
  private final List<Product> products = new ArrayList<>();
  private final List<Sum> sums = new ArrayList<>();

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
   * @param slab where the larger values that are kept lie, which outlives the tape; null for none
   */
  Tape(@Nullable DropoutMasks dropout, @Nullable ActivationArena slab) {
    this.dropout = dropout;
    this.slab = slab;
  }

  /** Room for a value that will be kept, where there is a place for such; else null. */
  @Nullable Tensor room(long... shape) {
    return slab == null ? null : slab.take(shape);
  }

  /**
   * What a part of a model starts from.
   *
   * @param tape where the part is written down, or null where it is not
   * @param stays whether the value's memory outlives the tape; else a layer that needs the value on
   *     the way back keeps it
   */
  public static Node leaf(@Nullable Tape tape, Tensor value, boolean stays) {
    if (tape == null) {
      return Node.of(value);
    }
    return stays ? Node.keptLeaf(tape, tape.keep(value)) : Node.leaf(tape, value);
  }

  void track(Node node) {
    tracked.add(node);
  }

  void record(Runnable step) {
    steps.add(step);
  }

  /** A handle of a tensor that lives until the tape is closed. */
  public Tensor keep(Tensor tensor) {
    Tensor held = TensorScope.hold(tensor);
    kept.add(held);
    return held;
  }

  /** {@link #keep} of a copy in {@link #room}, so that the tensor's own memory is free again. */
  Tensor keepPlaced(Tensor tensor) {
    Tensor room = room(tensor.shape());
    return keep(room == null ? tensor : room.copy_(tensor));
  }

  /** Ends the way forward: what the way back does not need belongs to the scope again. */
  public void forwardDone() {
    tracked.forEach(Node::forget);
  }

  /**
   * Goes back. The gradients of the leaves are then in their nodes, those of weights noted.
   *
   * @param outputs of the way forward
   * @param gradients of the loss by them
   */
  public void backward(List<Node> outputs, List<Tensor> gradients) {
    for (int i = 0; i < outputs.size(); i++) {
      outputs.get(i).add(gradients.get(i));
    }
    for (int i = steps.size() - 1; i >= 0; i--) {
      steps.get(i).run();
    }
    steps.clear();
    tracked.forEach(Node::forget);
  }

  /** Notes a gradient left^T right of a matrix, if the matrix is trained. */
  public void product(Tensor weight, Tensor left, Tensor right) {
    if (weight.requires_grad()) {
      products.add(new Product(weight, left, right));
    }
  }

  /** Notes the gradient of a vector. */
  public void sum(Tensor weight, Tensor sum) {
    sums.add(new Sum(weight, keep(sum)));
  }

  List<Product> products() {
    return products;
  }

  List<Sum> sums() {
    return sums;
  }

  @Nullable DropoutMasks dropout() {
    return dropout;
  }

  @Override
  public void close() {
    kept.forEach(Tensors::free);
    kept.clear();
    tracked.clear();
    steps.clear();
    products.clear();
    sums.clear();
  }
}
