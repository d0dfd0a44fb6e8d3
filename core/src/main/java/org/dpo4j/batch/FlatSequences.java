package org.dpo4j.batch;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Prompts with their completions, laid out one token behind the other without padding. A prompt
 * lies there once, followed by all of its completions; each completion sees the prompt and itself.
 * Since nothing is conditioned on the last token of a completion, that token is not fed.
 *
 * <p>Sequences are completions, numbered in the order in which they were added. The arrays are not
 * to be changed.
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
  private final int[] targets;
  private final int[] sequenceOf;
  private final int[] lengths;

  private FlatSequences(Builder builder) {
    ids = builder.ids.toArray();
    positions = builder.positions.toArray();
    groups = List.copyOf(builder.groups);
    predictors = builder.predictors.toArray();
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

  /** Place of each fed token in its own sequence, shape (tokens). */
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

  /** How many completions there are. */
  public int sequences() {
    return lengths.length;
  }

  /** How many tokens are fed. */
  public int tokens() {
    return ids.length;
  }

  /** Collects prompts with their completions. */
  public static final class Builder {
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
      int start = ids.size;
      for (int i = 0; i < prompt.length; i++) {
        ids.add(prompt[i]);
        positions.add(i);
      }
      List<Integer> fed = new ArrayList<>(completions.length);
      for (int[] completion : completions) {
        int completionStart = ids.size;
        for (int i = 0; i < completion.length; i++) {
          int predictor = i > 0 ? completionStart + i - 1 : start + prompt.length - 1;
          if (i > 0 || prompt.length > 0) {
            predictors.add(predictor);
            targets.add(completion[i]);
            sequenceOf.add(lengths.size);
          }
          if (i < completion.length - 1) {
            ids.add(completion[i]);
            positions.add(prompt.length + i);
          }
        }
        fed.add(ids.size - completionStart);
        lengths.add(completion.length);
      }
      groups.add(new Group(start, prompt.length, List.copyOf(fed)));
      return this;
    }

    public FlatSequences build() {
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
