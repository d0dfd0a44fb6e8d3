package org.dpo4j.logprob;

import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * The Kullback-Leibler divergence of two models' next-token distributions on given text, exact over
 * the vocabulary, by libtorch's operations and without gradients.
 */
public final class TokenDivergence {

  /** Rows of logits at a time: at 150,000 tokens, both models' take 75 MB. */
  private static final int ROWS = 64;

  private TokenDivergence() {}

  /**
   * sum over v of p(v) (log p(v) - log q(v)), summed over the scored tokens of each completion, in
   * nats.
   *
   * @param model gives p
   * @param reference gives q; has at least the model's vocabulary, of which the same part is used
   * @param sequences the completions with their prompts
   * @return shape (sequences)
   * @throws org.dpo4j.DpoException if a token id or position is outside a model's range
   */
  public static double[] of(CausalLm model, CausalLm reference, FlatSequences sequences) {
    SequenceLogProbs.check(model, sequences);
    SequenceLogProbs.check(reference, sequences);
    double[] sums = new double[sequences.sequences()];
    int scored = sequences.targets().length;
    if (scored == 0) {
      return sums;
    }
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor states = states(model, sequences);
      Tensor referenceStates = states(reference, sequences);
      for (int from = 0; from < scored; from += ROWS) {
        int rows = Math.min(ROWS, scored - from);
        try (TensorScope tile = TensorScope.open()) {
          Tensor p = logProbs(model, states.narrow(0, from, rows));
          Tensor q =
              logProbs(reference, referenceStates.narrow(0, from, rows)).narrow(1, 0, p.size(1));
          double[] each = Tensors.toDoubles(p.exp().mul(p.sub(q)).sum(1));
          for (int i = 0; i < rows; i++) {
            sums[sequences.sequenceOf()[from + i]] += each[i];
          }
        }
      }
    }
    return sums;
  }

  private static Tensor states(CausalLm model, FlatSequences sequences) {
    return SequenceLogProbs.predictingStates(model, sequences, OptionalLong.empty(), null);
  }

  /** Shape (rows, vocabulary). */
  private static Tensor logProbs(CausalLm model, Tensor states) {
    Tensor logits = model.logits(states);
    return logits.sub(logits.logsumexp(new long[] {1}, true));
  }
}
