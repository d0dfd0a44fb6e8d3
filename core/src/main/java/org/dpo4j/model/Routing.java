package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Softmax;
import org.dpo4j.torch.Tensors;

/**
 * Which rows which experts compute. Each row has a number of uses, one for each expert that it
 * takes; uses are in the order of the experts, so that those of an expert are together. The choice
 * is a constant in the backward pass; gradients flow through the weights.
 */
public final class Routing {

  /**
   * The uses of one expert.
   *
   * @param from the first of them
   */
  record Run(int expert, int from, int count) {
    /** A view of the expert's rows of a tensor with a row for each use. */
    Tensor of(Tensor uses) {
      return uses.narrow(0, from, count);
    }
  }

  private final int chosen; // uses of a row
  private final int[] starts; // of the uses of each expert, and of none
  private final Tensor tokens; // the row of each use, (uses)
  private final Tensor places; // the uses of the first row, of the second, ..., (uses)
  private final Node weights; // (uses, 1)

  private Routing(int chosen, int[] starts, Tensor tokens, Tensor places, Node weights) {
    this.chosen = chosen;
    this.starts = starts;
    this.tokens = tokens;
    this.places = places;
    this.weights = weights;
  }

  /**
   * Gives each row to the experts with its largest logits.
   *
   * @param logits of the router, shape (rows, experts)
   * @param chosen number of experts of a row
   * @param renormalized whether the weights of a row are the softmax over the chosen experts
   *     instead of all
   */
  public static Routing of(Node logits, int chosen, boolean renormalized) {
    T_TensorTensor_T top = logits.value().topk(chosen);
    Tensor numbers = kept(logits, top.get1()); // (rows, chosen)
    long[] experts = Tensors.toLongs(numbers);
    int[] starts = starts(experts, (int) logits.value().size(1));
    int[] next = starts.clone();
    int[] tokens = new int[experts.length];
    int[] order = new int[experts.length];
    int[] places = new int[experts.length];
    for (int i = 0; i < experts.length; i++) {
      int place = next[(int) experts[i]]++;
      tokens[place] = i / chosen;
      order[place] = i;
      places[i] = place;
    }
    Tensor placed = kept(logits, Tensors.indices(numbers, places));
    logits.saveForBackward();
    Tensor own = weights(logits.value(), numbers, renormalized);
    Node weights =
        logits.then(
            own.reshape(-1, 1).index_select(0, Tensors.indices(numbers, order)),
            gradient ->
                backward(
                    logits,
                    numbers,
                    gradient.index_select(0, placed).view(numbers.shape()),
                    renormalized));
    return new Routing(
        chosen, starts, kept(logits, Tensors.indices(numbers, tokens)), placed, weights);
  }

  private static Tensor kept(Node node, Tensor indices) {
    return node.taped() ? node.tape().save(indices) : indices;
  }

  private static int[] starts(long[] experts, int count) {
    int[] starts = new int[count + 1];
    for (long expert : experts) {
      starts[(int) expert + 1]++;
    }
    for (int i = 0; i < count; i++) {
      starts[i + 1] += starts[i];
    }
    return starts;
  }

  /** Shape (rows, chosen). */
  private static Tensor weights(Tensor logits, Tensor numbers, boolean renormalized) {
    return renormalized
        ? logits.gather(1, numbers).softmax(-1)
        : logits.softmax(-1).gather(1, numbers);
  }

  private static void backward(
      Node logits, Tensor numbers, Tensor byWeights, boolean renormalized) {
    Tensor zeros = Tensors.zerosLike(logits.value(), logits.value().shape());
    if (renormalized) {
      Softmax.backward(byWeights, weights(logits.value(), numbers, true));
      logits.accumulateOwned(zeros.scatter_(1, numbers, byWeights));
    } else {
      Tensor byAll = zeros.scatter_(1, numbers, byWeights);
      Softmax.backward(byAll, logits.value().softmax(-1));
      logits.accumulateOwned(byAll);
    }
  }

  int experts() {
    return starts.length - 1;
  }

  Run run(int expert) {
    return new Run(expert, starts[expert], starts[expert + 1] - starts[expert]);
  }

  /** The uses of each expert that has any. */
  List<Run> runs() {
    List<Run> runs = new ArrayList<>();
    for (int expert = 0; expert < experts(); expert++) {
      if (run(expert).count() > 0) {
        runs.add(run(expert));
      }
    }
    return runs;
  }

  /** The weights of the experts in the results of their rows, shape (uses, 1). */
  public Node weights() {
    return weights;
  }

  /** Copies each row to its uses: shape (rows, width) in, (uses, width) out. */
  public Node spread(Node rows) {
    rows.saveForBackward();
    return rows.then(spread(rows.value()), gradient -> rows.accumulateOwned(collect(gradient)))
        .recomputeWith(() -> spread(rows.value()));
  }

  /** Adds up the uses of each row: shape (uses, width) in, (rows, width) out. */
  public Node collect(Node uses) {
    return uses.then(collect(uses.value()), gradient -> uses.accumulateOwned(spread(gradient)));
  }

  private Tensor spread(Tensor rows) {
    return rows.index_select(0, tokens);
  }

  private Tensor collect(Tensor uses) {
    return uses.index_select(0, places)
        .view(-1, chosen, uses.size(1))
        .sum(new long[] {1}, false, Tensors.noType());
  }

  /**
   * Adds to each row the bias of its expert.
   *
   * @param uses shape (uses, width)
   * @param bias shape (experts, width)
   */
  public Node plusBias(Node uses, Tensor bias) {
    return uses.then(
        uses.value().add(ofUses(bias)),
        gradient -> {
          uses.accumulate(gradient);
          recordGradient(uses, bias, gradient);
        });
  }

  /**
   * The weighted sum of the biases of each row's experts.
   *
   * @param bias shape (experts, width)
   * @return shape (rows, width)
   */
  public Node weightedSum(Tensor bias) {
    weights.saveForBackward();
    return weights.then(
        collect(ofUses(bias).mul(weights.value())),
        gradient -> {
          Tensor byUses = spread(gradient);
          weights.accumulateOwned(
              byUses.mul(ofUses(bias)).sum(new long[] {1}, true, Tensors.noType()));
          recordGradient(weights, bias, byUses.mul_(weights.value()));
        });
  }

  /** The entries of the uses' experts. */
  private Tensor ofUses(Tensor bias) {
    List<Tensor> parts = new ArrayList<>();
    for (Run run : runs()) {
      parts.add(bias.narrow(0, run.expert(), 1).expand(run.count(), bias.size(1)));
    }
    return Tensors.cat(parts, 0);
  }

  private void recordGradient(Node node, Tensor bias, Tensor byUses) {
    if (bias.requires_grad()) {
      Tensor sums = Tensors.zerosLike(bias, bias.shape());
      for (Run run : runs()) {
        sums.select(0, run.expert())
            .add_(run.of(byUses).sum(new long[] {0}, false, Tensors.noType()));
      }
      node.tape().recordVectorGradient(bias, sums);
    }
  }
}
