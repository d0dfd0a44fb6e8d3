package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * A value on its way through a model. Layers take nodes and give nodes, so that a model is written
 * once: without a {@link Tape} a node is just its tensor, and libtorch's autograd records what it
 * always does; with one the layers write down how to go back, and what is not needed for that is
 * freed on the way.
 */
public final class Node {

  private final @Nullable Tape tape;
  private final @Nullable DropoutMasks dropout; // of the rows; null for a pass without dropout
  private @Nullable Tensor value; // null once forgotten
  private @Nullable Supplier<Tensor> again;
  private boolean kept;
  private boolean placed; // where the tape wants what is kept
  private @Nullable Tensor gradient;
  private boolean gradientIsOurs; // and may be added to in place

  private Node(@Nullable Tape tape, @Nullable DropoutMasks dropout, Tensor value) {
    this.tape = tape;
    this.dropout = dropout;
    this.value = value;
  }

  /** A tensor without a tape and without dropout. */
  public static Node of(Tensor value) {
    return of(value, null);
  }

  /**
   * A tensor without a tape.
   *
   * @param dropout masks of the rows; null for a pass without dropout
   */
  public static Node of(Tensor value, @Nullable DropoutMasks dropout) {
    return new Node(null, dropout, value);
  }

  /** What a tape starts from. */
  static Node leaf(Tape tape, Tensor value) {
    Node node = new Node(tape, tape.dropout(), value);
    tape.track(node);
    return node;
  }

  /** What a tape starts from and keeps already. */
  static Node keptLeaf(Tape tape, Tensor value) {
    Node node = new Node(tape, tape.dropout(), value);
    node.kept = true;
    return node;
  }

  /** Whether the way back is written down. */
  public boolean taped() {
    return tape != null;
  }

  /** The value; computed once more where it was not kept. */
  public Tensor value() {
    if (value == null) {
      if (again == null) {
        throw new IllegalStateException("a value that was not kept is needed");
      }
      value = again.get();
    }
    return value;
  }

  /**
   * The result of an operation on this node.
   *
   * @param result its value
   * @param backward gets the gradient of the result and adds to those of the inputs; only called
   *     with a tape
   */
  public Node then(Tensor result, Consumer<Tensor> backward) {
    Node node = new Node(tape, dropout, result);
    if (tape != null) {
      tape.track(node);
      tape.record(
          () -> {
            if (node.gradient != null) {
              backward.accept(node.gradient);
              node.gradient = null;
            }
          });
    }
    return node;
  }

  /** The result of an operation on this node where there is no tape, and autograd records it. */
  Node untaped(Tensor result) {
    return new Node(null, dropout, result);
  }

  /** Says how to compute the value once more, which is cheaper than keeping it. */
  public Node again(Supplier<Tensor> again) {
    if (tape != null) {
      this.again = again;
    }
    return this;
  }

  /** Keeps the value for the way back, or remembers that it can be computed once more. */
  public Node keep() {
    if (tape != null && !kept && again == null && value != null) {
      value = placed ? tape.keep(value) : tape.keepPlaced(value);
      kept = true;
    }
    return this;
  }

  /** Says that the value lies in memory of {@link Tape#room}. */
  Node placed() {
    placed = true;
    return this;
  }

  /** Called when the forward part of the tape ends. */
  void forget() {
    if (!kept) {
      value = null;
    }
  }

  /** The tape; there must be one. */
  public Tape tape() {
    if (tape == null) {
      throw new IllegalStateException("there is no tape");
    }
    return tape;
  }

  /** The gradient of a leaf after the way back; one that the loss depends on. */
  public Tensor gradient() {
    return Objects.requireNonNull(gradient, "the loss does not depend on this value");
  }

  /** Adds to the gradient; the tensor may be used elsewhere too. */
  public void add(Tensor more) {
    gradientIsOurs = gradient != null;
    gradient = gradient == null ? more : gradient.add(more);
  }

  /** Adds to the gradient a tensor that nobody else has. */
  public void addOwn(Tensor more) {
    if (gradient == null) {
      gradient = more;
      gradientIsOurs = true;
    } else if (gradientIsOurs) {
      gradient.add_(more);
    } else {
      gradient = more.add_(gradient);
      gradientIsOurs = true;
    }
  }

  /** Adds {@link Matrix#times} to the gradient. */
  public void addTimes(Matrix matrix, Tensor input, boolean transposed) {
    if (gradient != null && gradientIsOurs) {
      Tensor before = gradient;
      gradient = matrix.plusTimes(before, input, transposed);
      if (!gradient.equals(before)) {
        Tensors.free(before);
      }
    } else {
      addOwn(matrix.times(input, transposed));
    }
  }

  /** The sum of two nodes of one shape. */
  public Node plus(Node other) {
    return then(
        value().add(other.value()),
        out -> {
          add(out);
          other.add(out);
        });
  }

  /** The node times a number. */
  public Node times(double factor) {
    if (factor == 1) {
      return this;
    }
    return then(
        value().mul(Tensors.scalar(factor)), out -> addOwn(out.mul(Tensors.scalar(factor))));
  }

  /** The same elements in another shape. */
  public Node reshape(long... shape) {
    long[] before = value().shape();
    return then(value().reshape(shape), out -> add(out.reshape(before)));
  }

  /** Cuts the last dimension into pieces of the given widths. */
  public List<Node> split(long... widths) {
    List<Node> pieces = new ArrayList<>();
    if (tape != null) {
      tape.record(() -> joinGradients(pieces)); // goes back after all that comes later
    }
    long from = 0;
    for (long width : widths) {
      Node piece = new Node(tape, dropout, value().narrow(-1, from, width));
      from += width;
      if (tape != null) {
        tape.track(piece);
      }
      pieces.add(piece);
    }
    return pieces;
  }

  private void joinGradients(List<Node> pieces) {
    List<Tensor> gradients = new ArrayList<>();
    for (Node piece : pieces) {
      if (piece.gradient == null) {
        throw new IllegalStateException("every piece of a split must be used");
      }
      gradients.add(piece.gradient);
      piece.gradient = null;
    }
    addOwn(Tensors.cat(gradients, -1));
  }

  /** Whether the pass applies dropout. */
  public boolean hasDropout() {
    return dropout != null;
  }

  /**
   * Applies dropout: sets elements to zero and scales the others up. Without {@link #hasDropout}
   * the node itself.
   *
   * @param layer index of the layer, different for each call in a pass
   * @param probability of a zero, in [0, 1)
   */
  public Node dropout(int layer, double probability) {
    if (dropout == null || probability == 0) {
      return this;
    }
    Tensor mask = dropout.mask(layer, value(), probability);
    if (tape == null) {
      return untaped(value().mul(mask));
    }
    keep(); // to be multiplied once more on the way back
    Tensor kept = tape.keep(mask);
    return then(value().mul(kept), out -> addOwn(out.mul(kept))).again(() -> value().mul(kept));
  }
}
