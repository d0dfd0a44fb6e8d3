package org.dpo4j.batch;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;
import org.jspecify.annotations.Nullable;

/**
 * The layout of examples that go through a model together. Sequences are their completions, of one
 * example after the other: of pairs, sequence 2i is the chosen completion of pair i, sequence 2i +
 * 1 its rejected one. Examples with the same prompt share one copy of it.
 *
 * @param sequences the tokens of all examples, without padding
 */
public record ExampleBatch(FlatSequences sequences) {

  /** Lays out examples in the given order. */
  public static ExampleBatch of(List<EncodedExample> examples) {
    Map<Prompt, Completions> groups = new LinkedHashMap<>();
    int sequences = 0;
    for (int i = 0; i < examples.size(); i++) {
      EncodedExample example = examples.get(i);
      Completions group =
          groups.computeIfAbsent(Prompt.of(example, i), prompt -> new Completions());
      for (EncodedCompletion completion : example.completions()) {
        group.add(sequences++, completion);
      }
    }
    FlatSequences.Builder builder = new FlatSequences.Builder();
    groups.forEach((prompt, completions) -> completions.addTo(builder, prompt));
    return new ExampleBatch(builder.build());
  }

  /**
   * Key of a group: examples with equal keys share a copy of the prompt.
   *
   * @param owner number of the example if the prompt is empty, else -1: those with an empty prompt
   *     would share nothing, and a larger group costs more
   */
  @SuppressWarnings("ArrayRecordComponent") // compared by content below
  private record Prompt(int[] ids, int owner) {

    static Prompt of(EncodedExample example, int number) {
      return new Prompt(example.promptIds(), example.promptIds().length == 0 ? number : -1);
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
    private final List<@Nullable BitSet> unscored = new ArrayList<>();

    void add(int number, EncodedCompletion completion) {
      numbers.add(number);
      ids.add(completion.ids());
      unscored.add(completion.unscored());
    }

    void addTo(FlatSequences.Builder builder, Prompt prompt) {
      builder.addNumbered(
          prompt.ids(),
          numbers.stream().mapToInt(Integer::intValue).toArray(),
          ids.toArray(int[][]::new),
          unscored);
    }
  }
}
