package org.dpo4j.reference;

import java.util.stream.IntStream;
import org.dpo4j.batch.PreferenceBatch;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.logprob.PairLogProbs;

/**
 * The reference of a data set: what a frozen model said of every pair before training began.
 *
 * @param logProbs of the pairs, by their index in the data set
 */
public record PrecomputedReference(LogProbTable logProbs) implements Reference {

  @Override
  public PairLogProbs of(PreferenceBatch batch, PairLogProbs policy) {
    int[] indices = batch.indices();
    return PairLogProbs.ofValues(
        IntStream.of(indices).mapToDouble(logProbs::chosen).toArray(),
        IntStream.of(indices).mapToDouble(logProbs::rejected).toArray(),
        policy);
  }
}
