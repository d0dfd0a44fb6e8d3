package org.dpo4j.batch;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.encode.EncodedPair;

/**
 * Pairs that go through the model together. Sequence 2i is the chosen completion of pair i,
 * sequence 2i + 1 the rejected one. A prompt that several of the pairs have lies there once.
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
    Map<Prompt, Completions> groups = new LinkedHashMap<>();
    for (int i = 0; i < indices.length; i++) {
      EncodedPair pair = dataset.get(indices[i]);
      groups
          .computeIfAbsent(Prompt.of(pair, i), prompt -> new Completions())
          .add(2 * i, pair.chosenIds(), pair.rejectedIds());
    }
    FlatSequences.Builder builder = new FlatSequences.Builder();
    groups.forEach((prompt, completions) -> completions.addTo(builder, prompt));
    return new PreferenceBatch(indices.clone(), builder.build());
  }

  /**
   * What pairs must agree in to lie in one group.
   *
   * @param owner keeps pairs with an empty prompt apart, who would share nothing but the cost of a
   *     larger group
   */
  @SuppressWarnings("ArrayRecordComponent") // compared by content below
  private record Prompt(int[] ids, int owner) {

    static Prompt of(EncodedPair pair, int number) {
      return new Prompt(pair.promptIds(), pair.promptIds().length == 0 ? number : -1);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Prompt prompt
          && owner == prompt.owner
          && Arrays.equals(ids, prompt.ids);
    }

    @Override
    public int hashCode() {
      return 31 * Arrays.hashCode(ids) + owner;
    }
  }

  /** The completions behind a prompt, with their numbers. */
  private static final class Completions {
    private final List<Integer> numbers = new ArrayList<>();
    private final List<int[]> ids = new ArrayList<>();

    void add(int firstNumber, int[] chosen, int[] rejected) {
      numbers.addAll(List.of(firstNumber, firstNumber + 1));
      ids.addAll(List.of(chosen, rejected));
    }

    void addTo(FlatSequences.Builder builder, Prompt prompt) {
      builder.addNumbered(
          prompt.ids(),
          numbers.stream().mapToInt(Integer::intValue).toArray(),
          ids.toArray(int[][]::new));
    }
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
