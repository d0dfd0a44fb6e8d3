package org.dpo4j.batch;

import java.util.List;
import org.dpo4j.encode.EncodedPair;

/**
 * Pairs that go through the model together. Sequence 2i is the chosen completion of pair i,
 * sequence 2i + 1 the rejected one.
 */
public final class PreferenceBatch {

  private final int[] indices;
  private final FlatSequences sequences;

  private PreferenceBatch(int[] indices, FlatSequences sequences) {
    this.indices = indices;
    this.sequences = sequences;
  }

  /**
   * Lays out some pairs of a data set.
   *
   * @param dataset all pairs
   * @param indices the 0-based numbers of the pairs to take
   */
  public static PreferenceBatch of(List<EncodedPair> dataset, int... indices) {
    FlatSequences.Builder builder = new FlatSequences.Builder();
    for (int index : indices) {
      EncodedPair pair = dataset.get(index);
      builder.add(pair.promptIds(), pair.chosenIds(), pair.rejectedIds());
    }
    return new PreferenceBatch(indices.clone(), builder.build());
  }

  /**
   * The number in the data set of each pair, by which reference log-probabilities are looked up.
   */
  public int[] indices() {
    return indices.clone();
  }

  public FlatSequences sequences() {
    return sequences;
  }
}
