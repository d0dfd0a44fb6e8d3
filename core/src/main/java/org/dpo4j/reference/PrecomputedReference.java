package org.dpo4j.reference;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LogProbTable;

/**
 * A frozen reference: its log-probabilities of every example, computed before training.
 *
 * @param logProbs of the examples, by index in the data set
 */
public record PrecomputedReference(LogProbTable logProbs) implements Reference {

  @Override
  public ScoredExample scored(int index, EncodedExample example) {
    return new ScoredExample(example, logProbs.of(index));
  }

  @Override
  public double[] logProbs(List<ScoredExample> examples, FlatSequences sequences) {
    return examples.stream()
        .flatMapToDouble(scored -> Arrays.stream(Objects.requireNonNull(scored.reference())))
        .toArray();
  }
}
