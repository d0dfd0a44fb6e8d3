package org.dpo4j.model;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Softmax;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The {@link RouterLoss} of a pass whose rows several threads compute. With w how often a token
 * counts, W the sum of w over all tokens and layers, F and P the sums of w times hits and
 * probabilities, it is E sum(F P) / W^2.
 */
final class RouterLossPass {

  /** The sums of w times hits and probabilities of some rows, by expert. */
  @SuppressWarnings("ArrayRecordComponent")
  private record Sums(double[] hits, double[] probabilities) {
    static Sums zeros(int experts) {
      return new Sums(new double[experts], new double[experts]);
    }

    void add(Sums more) {
      for (int i = 0; i < hits.length; i++) {
        hits[i] += more.hits[i];
        probabilities[i] += more.probabilities[i];
      }
    }
  }

  private final RouterLoss loss;
  private final Tensor weights; // w, (tokens, 1)
  private final double weight; // the sum of w over the tokens
  private final @Nullable Sums[][] sums; // by block and thread
  private @Nullable Tensor byProbabilities; // of a token that counts once, (experts)

  /**
   * Before the forward pass.
   *
   * @param weights how often each token counts
   * @param like gives type and device
   */
  RouterLossPass(RouterLoss loss, double[] weights, Tensor like, int blocks, int threads) {
    this.loss = loss;
    this.weights = Tensors.like(like, weights).unsqueeze(1);
    weight = Arrays.stream(weights).sum();
    sums = new Sums[blocks][threads];
  }

  /**
   * Takes the logits of a thread's rows in a block.
   *
   * @param tokens all of the batch
   */
  RouterLoss.LogitsSink logitsSink(int block, TokenRows tokens, int thread) {
    return logits -> {
      Tensor rowWeights = tokens.select(weights, 0, thread);
      // A block that is computed again sets the same sums again.
      sums[block][thread] = sums(logits.value().softmax(-1), rowWeights);
      recordGradient(logits, rowWeights);
    };
  }

  private Sums sums(Tensor probabilities, Tensor rowWeights) {
    return new Sums(sum(loss.hits(probabilities), rowWeights), sum(probabilities, rowWeights));
  }

  private void recordGradient(Node logits, Tensor rowWeights) {
    if (logits.taped()) {
      logits.saveForBackward();
      Tensor held = logits.tape().hold(rowWeights);
      logits.tape().record(() -> addGradient(logits, held));
    }
  }

  private static double[] sum(Tensor rows, Tensor rowWeights) {
    return Tensors.toDoubles(rows.mul(rowWeights).sum(new long[] {0}, false, Tensors.noType()));
  }

  /** The loss times its coefficient, after the forward pass. */
  double value() {
    Sums all = total();
    double sum = 0;
    for (int expert = 0; expert < loss.experts(); expert++) {
      sum += all.hits()[expert] * all.probabilities()[expert];
    }
    return factor() * sum;
  }

  /**
   * Begins the backward pass.
   *
   * @param byValue gradient of the loss of training with respect to {@link #value}
   */
  void beginBackward(double byValue) {
    if (byValue != 0) {
      double factor = byValue * factor();
      byProbabilities =
          Tensors.like(weights, Arrays.stream(total().hits()).map(sum -> factor * sum).toArray());
    }
  }

  /** E / W^2, times the coefficient; 0 if no layer has a router. */
  private double factor() {
    long layers = Arrays.stream(sums).filter(block -> block[0] != null).count();
    double all = weight * layers;
    return layers == 0 ? 0 : loss.coefficient() * loss.experts() / (all * all);
  }

  /** F and P. */
  private Sums total() {
    Sums total = Sums.zeros(loss.experts());
    for (Sums[] block : sums) {
      for (@Nullable Sums rows : block) {
        if (rows != null) {
          total.add(rows);
        }
      }
    }
    return total;
  }

  /** Through the probabilities to the logits; which experts are chosen is a constant. */
  private void addGradient(Node logits, Tensor rowWeights) {
    if (byProbabilities != null) {
      Tensor gradient = rowWeights.mul(byProbabilities);
      Softmax.backward(gradient, logits.value().softmax(-1));
      logits.accumulateOwned(gradient);
    }
  }
}
