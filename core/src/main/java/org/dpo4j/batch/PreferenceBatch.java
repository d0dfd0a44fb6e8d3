package org.dpo4j.batch;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.encode.EncodedPair;

/**
 * The layout of pairs that go through a model together. Sequence 2i is the chosen completion of
 * pair i, sequence 2i + 1 its rejected completion. Pairs with the same prompt share one copy of it.
 *
 * @param sequences the tokens of all pairs, without padding
 */
public record PreferenceBatch(FlatSequences sequences) {

  /** Lays out pairs in the given order. */
  public static PreferenceBatch of(List<EncodedPair> pairs) {
    Map<Prompt, Completions> groups = new LinkedHashMap<>();
    for (int i = 0; i < pairs.size(); i++) {
      EncodedPair pair = pairs.get(i);
      groups
          .computeIfAbsent(Prompt.of(pair, i), prompt -> new Completions())
          .add(2 * i, pair.chosenIds(), pair.rejectedIds());
    }
    FlatSequences.Builder builder = new FlatSequences.Builder();
    groups.forEach((prompt, completions) -> completions.addTo(builder, prompt));
    return new PreferenceBatch(builder.build());
  }

  /**
   * Key of a group: pairs with equal keys share a copy of the prompt.
   *
   * @param owner number of the pair if the prompt is empty, else -1: pairs with an empty prompt
   *     would share nothing, and a larger group costs more
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

  /** The completions of a prompt, with their sequence numbers. */
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
}
