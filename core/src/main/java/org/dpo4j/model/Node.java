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
 * A tensor in a forward pass. Layers take and return nodes, so that a block is written once: with a
 * {@link Tape} each layer records its backward formula and saves what that needs; without one a
 * node is just its tensor, and libtorch's autograd records the operations.
 */
public final class Node {

  private final @Nullable Tape tape;
  private final @Nullable DropoutMasks dropout; // of the rows; null for a pass without dropout
  private @Nullable Tensor value; // null after release, until it is recomputed
  private @Nullable Supplier<Tensor> recompute;
  private boolean saved;
  private boolean inArena; // the value's memory is from Tape.allocate
  private @Nullable Tensor gradient;
  private boolean ownsGradient; // no other object uses the tensor, so it may be changed in place

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

  static Node leaf(Tape tape, Tensor value) {
    Node node = new Node(tape, tape.dropout(), value);
    tape.track(node);
    return node;
  }

  /** A leaf whose value outlives the tape. */
  static Node savedLeaf(Tape tape, Tensor value) {
    Node node = new Node(tape, tape.dropout(), value);
    node.saved = true;
    return node;
  }

  /** Whether a tape records this pass. */
  public boolean taped() {
    return tape != null;
  }

  /**
   * The value; recomputed after the forward pass if it was not saved.
   *
   * @throws IllegalStateException if it was neither saved nor can be recomputed
   */
  public Tensor value() {
    if (value == null) {
      if (recompute == null) {
        throw new IllegalStateException(
            "a layer needs a value in the backward pass for which it did not call saveForBackward");
      }
      value = recompute.get();
    }
    return value;
  }

  /**
   * The result of an operation on this node.
   *
   * @param result its value
   * @param backward accumulates the gradients of the operation's inputs, given that of the result;
   *     called only with a tape, and only if the loss depends on the result
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

  /**
   * The result of an operation in a pass without a tape.
   *
   * @throws IllegalStateException if there is one
   */
  public Node untaped(Tensor result) {
    if (tape != null) {
      throw new IllegalStateException(
          "an operation on a taped node must record its backward formula");
    }
    return new Node(null, dropout, result);
  }

  /**
   * Declares that recomputing the value is cheaper than saving it. {@link #saveForBackward} then
   * does nothing.
   *
   * @param recompute gives the same value again, from saved values
   */
  public Node recomputeWith(Supplier<Tensor> recompute) {
    if (tape != null) {
      this.recompute = recompute;
    }
    return this;
  }

  /** Makes {@link #value} available in the backward pass. Without a tape it does nothing. */
  public Node saveForBackward() {
    if (tape != null && !saved && recompute == null && value != null) {
      value = inArena ? tape.hold(value) : tape.saveInArena(value);
      saved = true;
    }
    return this;
  }

  /** Declares that the value lies in memory of {@link Tape#allocate}; saving it copies nothing. */
  Node alreadyInArena() {
    inArena = true;
    return this;
  }

  /** Declares that the value lies in another node's memory. */
  Node inMemoryOf(Node other) {
    inArena = other.inArena;
    return this;
  }

  /** Drops the value unless it was saved. */
  void release() {
    if (!saved) {
      value = null;
    }
  }

  /**
   * The tape.
   *
   * @throws IllegalStateException if this node has none
   */
  public Tape tape() {
    if (tape == null) {
      throw new IllegalStateException("only a taped node has a tape; ask taped() first");
    }
    return tape;
  }

  /**
   * The gradient of a leaf after the backward pass.
   *
   * @throws NullPointerException if the loss does not depend on it
   */
  public Tensor gradient() {
    return Objects.requireNonNull(gradient, "the loss does not depend on this value");
  }

  /** Adds to the gradient a tensor that may be used elsewhere too: it is not changed. */
  public void accumulate(Tensor more) {
    ownsGradient = gradient != null;
    gradient = gradient == null ? more : gradient.add(more);
  }

  /** Adds to the gradient a tensor that the caller just made and gives away: it may be changed. */
  public void accumulateOwned(Tensor more) {
    if (gradient == null) {
      gradient = more;
    } else if (ownsGradient) {
      gradient.add_(more);
    } else {
      gradient = more.add_(gradient);
    }
    ownsGradient = true;
  }

  /** Adds {@link Matrix#times} to the gradient, in one operation where possible. */
  public void accumulateProduct(Matrix matrix, Tensor input, boolean transposed) {
    if (gradient != null && ownsGradient) {
      Tensor before = gradient;
      gradient = matrix.plusTimes(before, input, transposed);
      if (!gradient.equals(before)) {
        Tensors.free(before);
      }
    } else {
      accumulateOwned(matrix.times(input, transposed));
    }
  }

  /** The sum of two nodes of one shape and one tape. */
  public Node plus(Node other) {
    if (other.tape != tape) {
      throw new IllegalStateException("only nodes of one tape can be added");
    }
    return then(
        value().add(other.value()),
        out -> {
          accumulate(out);
          other.accumulate(out);
        });
  }

  /** The node times a number. */
  public Node times(double factor) {
    if (factor == 1) {
      return this;
    }
    return then(
        value().mul(Tensors.scalar(factor)),
        out -> accumulateOwned(out.mul(Tensors.scalar(factor))));
  }

  /** The node times a constant tensor that can be broadcast to its shape and outlives the tape. */
  Node scale(Tensor constant) {
    if (tape == null) {
      return untaped(value().mul(constant));
    }
    Tensor held = tape.hold(constant);
    return then(value().mul(held), out -> accumulateOwned(out.mul(held)));
  }

  /**
   * Each row times a number of its own.
   *
   * @param factors shape (rows, 1)
   */
  public Node timesRows(Node factors) {
    saveForBackward();
    factors.saveForBackward();
    return then(
            value().mul(factors.value()),
            out -> {
              accumulateOwned(out.mul(factors.value()));
              factors.accumulateOwned(
                  out.mul(value()).sum(new long[] {-1}, true, Tensors.noType()));
            })
        .recomputeWith(() -> value().mul(factors.value()));
  }

  /** s = 1 / (1 + exp(-x)), of which the derivative is s (1 - s). */
  public Node sigmoid() {
    saveForBackward();
    return then(
            value().sigmoid(),
            out -> {
              Tensor s = value().sigmoid();
              accumulateOwned(s.neg().add_(Tensors.scalar(1)).mul_(s).mul_(out));
            })
        .recomputeWith(() -> value().sigmoid());
  }

  /** Elements below -limit become -limit, those above limit become limit. */
  public Node clamp(double limit) {
    saveForBackward();
    return then(
        value().clamp(Tensors.optionalScalar(-limit), Tensors.optionalScalar(limit)),
        out ->
            accumulateOwned(
                out.mul(value().abs().le(Tensors.scalar(limit)).to(out.scalar_type().intern()))));
  }

  /** The same elements in another shape. */
  public Node reshape(long... shape) {
    long[] before = value().shape();
    return then(value().reshape(shape), out -> accumulate(out.reshape(before)));
  }

  /**
   * Splits the last dimension into pieces of the given widths. The loss must depend on every piece.
   */
  public List<Node> split(long... widths) {
    List<Node> pieces = new ArrayList<>();
    if (tape != null) {
      tape.record(() -> joinGradients(pieces)); // runs after the formulas of the pieces
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
    accumulateOwned(Tensors.cat(gradients, -1));
  }

  /**
   * Applies dropout: sets elements to zero and scales the others up. In a pass without dropout it
   * returns the node itself.
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
    saveForBackward();
    Tensor saved = tape.save(mask);
    return then(value().mul(saved), out -> accumulateOwned(out.mul(saved)))
        .recomputeWith(() -> value().mul(saved));
  }
}
