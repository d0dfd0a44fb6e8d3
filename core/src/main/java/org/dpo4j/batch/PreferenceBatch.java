package org.dpo4j.batch;

import java.util.Arrays;
import java.util.List;
import org.dpo4j.encode.EncodedPair;

/**
 * Pairs that go through the model together. Sequence 2i is the chosen completion of pair i,
 * sequence 2i + 1 the rejected one.
 */
public final class PreferenceBatch {

  private final List<EncodedPair> pairs;
  private final int[] indices;
  private final FlatSequences sequences;

  private PreferenceBatch(List<EncodedPair> pairs, int[] indices, FlatSequences sequences) {
    this.pairs = pairs;
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
    List<EncodedPair> pairs = Arrays.stream(indices).mapToObj(dataset::get).toList();
    for (EncodedPair pair : pairs) {
      builder.add(pair.promptIds(), pair.chosenIds(), pair.rejectedIds());
    }
    return new PreferenceBatch(pairs, indices.clone(), builder.build());
  }

  /** How many pairs there are. */
  public int size() {
    return pairs.size();
  }

  public List<EncodedPair> pairs() {
    return pairs;
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

  /** Ids of both sides as TRL counts them: the prompt once per side. */
  public long tokens() {
    return pairs.stream().mapToLong(EncodedPair::tokens).sum();
  }
}
