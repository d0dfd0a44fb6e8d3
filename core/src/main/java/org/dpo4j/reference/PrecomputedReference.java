package org.dpo4j.reference;

import java.util.List;
import java.util.Objects;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.logprob.LogProbTable;

/**
 * A frozen reference: its log-probabilities of every pair, computed before training.
 *
 * @param logProbs of the pairs, by index in the data set
 */
public record PrecomputedReference(LogProbTable logProbs) implements Reference {

  @Override
  public ScoredPair scored(int index, EncodedPair pair) {
    return new ScoredPair(
        pair, new ScoredPair.Scores(logProbs.chosen(index), logProbs.rejected(index)));
  }

  @Override
  public double[] logProbs(List<ScoredPair> pairs, FlatSequences sequences) {
    double[] values = new double[2 * pairs.size()];
    for (int i = 0; i < pairs.size(); i++) {
      ScoredPair.Scores scores = Objects.requireNonNull(pairs.get(i).reference());
      values[2 * i] = scores.chosen();
      values[2 * i + 1] = scores.rejected();
    }
    return values;
  }
}
