package org.dpo4j.train;

import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.batch.PreferenceBatch;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.logprob.SequenceScores;
import org.dpo4j.loss.LossTerms;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;

/**
 * Pairs together with what the reference says of them.
 *
 * @param pairs at least one
 * @param reference of the same pairs
 */
public record PreferenceData(List<EncodedPair> pairs, PrecomputedReference reference) {

  public PreferenceData {
    if (pairs.isEmpty()) {
      throw new IllegalArgumentException("there must be at least one pair");
    }
    pairs = List.copyOf(pairs);
  }

  /** Forward pass of some pairs: their losses, with gradients unless these are switched off. */
  LossTerms forward(CausalLm policy, PreferenceLoss loss, int[] indices, MetricSums sums) {
    PreferenceBatch batch = PreferenceBatch.of(pairs, indices);
    SequenceScores scores = SequenceLogProbs.score(policy, batch.sequences());
    PairLogProbs logProbs =
        PairLogProbs.ofSequences(scores.logProbs(), batch.sequences().lengths());
    LossTerms terms = loss.of(logProbs, reference.of(batch, logProbs));
    sums.add(terms, logProbs, scores.statistics());
    return terms;
  }

  /** Means over all pairs, without gradients. */
  public PairMetrics evaluate(CausalLm policy, PreferenceLoss loss, int batchSize) {
    MetricSums sums = new MetricSums();
    for (int from = 0, to; from < pairs.size(); from = to) {
      to = from + Math.min(batchSize, pairs.size() - from); // no sum beyond an int
      try (TensorScope scope = TensorScope.open();
          NoGrad noGrad = NoGrad.open()) {
        forward(policy, loss, IntStream.range(from, to).toArray(), sums);
      }
    }
    return sums.means();
  }
}
