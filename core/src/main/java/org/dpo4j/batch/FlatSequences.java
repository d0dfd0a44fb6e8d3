package org.dpo4j.batch;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Prompts with their completions in one contiguous list of tokens, without padding. A prompt is
 * stored once, followed by all of its completions; a completion attends to the prompt and to
 * itself. The last token of a completion predicts nothing and is not fed.
 *
 * <p>A sequence is a completion. Sequences are numbered in the order in which they were added, or
 * by {@link Builder#addNumbered}. Callers must not change the arrays.
 *
 * @see Builder
 */
public final class FlatSequences {

  /**
   * A prompt and its completions.
   *
   * @param start index of the first prompt token
   * @param promptTokens fed tokens of the prompt
   * @param completionTokens fed tokens of each completion, in order
   */
  public record Group(int start, int promptTokens, List<Integer> completionTokens) {}

  private final int[] ids;
  private final int[] positions;
  private final List<Group> groups;
  private final int[] predictors;
  private final int[] predicting;
  private final int[] targets;
  private final int[] sequenceOf;
  private final int[] lengths;

  private FlatSequences(Builder builder) {
    ids = builder.ids.toArray();
    positions = builder.positions.toArray();
    groups = List.copyOf(builder.groups);
    predictors = builder.predictors.toArray();
    predicting = IntStream.of(predictors).sorted().distinct().toArray();
    targets = builder.targets.toArray();
    sequenceOf = builder.sequenceOf.toArray();
    lengths = builder.lengths.toArray();
  }

  /** Lays out one prompt with its completions. */
  public static FlatSequences of(int[] prompt, int[]... completions) {
    return new Builder().add(prompt, completions).build();
  }

  /** Fed token ids, shape (tokens). */
  public int[] ids() {
    return ids;
  }

  /** Position of each fed token in its sequence, from 0, shape (tokens). */
  public int[] positions() {
    return positions;
  }

  public List<Group> groups() {
    return groups;
  }

  /** For each scored completion token the fed token that predicts it, shape (scored). */
  public int[] predictors() {
    return predictors;
  }

  /** The fed tokens that predict at least one scored token, ascending, shape (predicting). */
  public int[] predicting() {
    return predicting;
  }

  /** The id of each scored completion token, shape (scored). */
  public int[] targets() {
    return targets;
  }

  /** The sequence of each scored completion token, shape (scored). */
  public int[] sequenceOf() {
    return sequenceOf;
  }

  /** Tokens of each completion, shape (sequences). */
  public int[] lengths() {
    return lengths;
  }

  /** Number of completions. */
  public int sequences() {
    return lengths.length;
  }

  /** Number of fed tokens. */
  public int tokens() {
    return ids.length;
  }

  /**
   * How many sequences each fed token is part of, shape (tokens): a prompt stands for all its
   * completions.
   */
  public double[] sequencesOfTokens() {
    double[] counts = new double[tokens()];
    for (Group group : groups) {
      int end = group.start() + group.promptTokens();
      Arrays.fill(counts, group.start(), end, group.completionTokens().size());
      int tokens = group.completionTokens().stream().mapToInt(Integer::intValue).sum();
      Arrays.fill(counts, end, end + tokens, 1);
    }
    return counts;
  }

  /** Collects prompts with their completions. */
  public static final class Builder {
    private static final int MISSING = -1;

    private final Ints ids = new Ints();
    private final Ints positions = new Ints();
    private final List<Group> groups = new ArrayList<>();
    private final Ints predictors = new Ints();
    private final Ints targets = new Ints();
    private final Ints sequenceOf = new Ints();
    private final Ints lengths = new Ints();

    /**
     * Adds a prompt and its completions. The first token of a completion after an empty prompt is
     * conditioned on nothing and not scored, as in TRL.
     */
    public Builder add(int[] prompt, int[]... completions) {
      int[] numbers = new int[completions.length];
      Arrays.setAll(numbers, i -> lengths.size + i);
      return addNumbered(prompt, numbers, completions);
    }

    /**
     * Adds a prompt and its completions with sequence numbers chosen by the caller, so that pairs
     * can share a prompt and keep their numbers. The numbers of all completions must be 0, 1, 2,
     * ... without gaps.
     *
     * @param numbers one for each completion
     */
    public Builder addNumbered(int[] prompt, int[] numbers, int[]... completions) {
      return addNumbered(
          prompt, numbers, completions, Collections.nCopies(completions.length, null));
    }

    /**
     * Adds completions of which some tokens are fed but not scored.
     *
     * @param unscored the indices of these tokens in each completion; null for none
     */
    Builder addNumbered(
        int[] prompt, int[] numbers, int[][] completions, List<@Nullable BitSet> unscored) {
      int start = ids.size;
      for (int i = 0; i < prompt.length; i++) {
        ids.add(prompt[i]);
        positions.add(i);
      }
      List<Integer> fed = new ArrayList<>(completions.length);
      for (int c = 0; c < completions.length; c++) {
        int[] completion = completions[c];
        BitSet skipped = unscored.get(c);
        int completionStart = ids.size;
        for (int i = 0; i < completion.length; i++) {
          int predictor = i > 0 ? completionStart + i - 1 : start + prompt.length - 1;
          boolean scored = skipped == null || !skipped.get(i);
          if (scored && (i > 0 || prompt.length > 0)) {
            predictors.add(predictor);
            targets.add(completion[i]);
            sequenceOf.add(numbers[c]);
          }
          if (i < completion.length - 1) {
            ids.add(completion[i]);
            positions.add(prompt.length + i);
          }
        }
        fed.add(ids.size - completionStart);
        setLength(numbers[c], completion.length);
      }
      groups.add(new Group(start, prompt.length, List.copyOf(fed)));
      return this;
    }

    private void setLength(int number, int tokens) {
      while (lengths.size <= number) {
        lengths.add(MISSING);
      }
      if (lengths.values[number] != MISSING) {
        throw new IllegalArgumentException("sequence " + number + " is there already");
      }
      lengths.values[number] = tokens;
    }

    public FlatSequences build() {
      if (IntStream.range(0, lengths.size).anyMatch(i -> lengths.values[i] == MISSING)) {
        throw new IllegalStateException("sequences must be numbered without gaps");
      }
      return new FlatSequences(this);
    }
  }

  /** A list of ints that grows. */
  private static final class Ints {
    private int[] values = new int[64];
    private int size;

    void add(int value) {
      if (size == values.length) {
        values = Arrays.copyOf(values, 2 * size);
      }
      values[size++] = value;
    }

    int[] toArray() {
      return Arrays.copyOf(values, size);
    }
  }
}
