package org.dpo4j.logprob;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * The Kullback-Leibler divergence of two models' next-token distributions on given text, exact over
 * the vocabulary, from the passes that compute the log-probabilities of the text.
 */
public final class TokenDivergence {

  /** Rows of logits at a time: at 150,000 tokens, both models' take 75 MB. */
  private static final int ROWS = 64;

  private TokenDivergence() {}

  /**
   * sum over v of p(v) (log p(v) - log q(v)), summed over some completion tokens, in nats.
   *
   * @param model the pass that gives p
   * @param reference the pass that gives q, of the same sequences; its model has at least the
   *     model's vocabulary, of which the same part is used
   * @param from first token of {@link org.dpo4j.batch.FlatSequences#targets}
   * @param to end of the tokens, exclusive
   */
  public static double sum(LogProbPass model, LogProbPass reference, int from, int to) {
    double sum = 0;
    try (NoGrad noGrad = NoGrad.open()) {
      for (int row = from; row < to; row += ROWS) {
        int end = Math.min(to, row + ROWS);
        try (TensorScope tile = TensorScope.open()) {
          Tensor p = model.logits(row, end).log_softmax(1);
          Tensor q = reference.logits(row, end).log_softmax(1).narrow(1, 0, p.size(1));
          // In place: a new tensor of this size costs more page faults than arithmetic.
          Tensor logRatio = q.neg_().add_(p);
          for (double each : Tensors.toDoubles(p.exp_().mul_(logRatio).sum(1))) {
            sum += each;
          }
        }
      }
    }
    return sum;
  }
}
