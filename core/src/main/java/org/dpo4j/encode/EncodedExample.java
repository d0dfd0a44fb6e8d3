package org.dpo4j.encode;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;

/**
 * A prompt with its completions as token ids, after truncation. A preference pair has two
 * completions, the chosen one first. Arrays are never changed after construction.
 *
 * @param origin the row it came from
 * @param promptIds the prompt that all completions follow; may be empty
 * @param completions at least one, each with its end-of-sequence token
 * @param numbers of the row
 */
@SuppressWarnings(
    "ArrayRecordComponent") // the largest data of a run: boxing would take 5 times the memory
public record EncodedExample(
    RowOrigin origin, int[] promptIds, List<EncodedCompletion> completions, RowNumbers numbers) {

  public EncodedExample {
    completions = List.copyOf(completions);
  }

  /**
   * A preference pair.
   *
   * @param chosenIds completion y_w; not empty
   * @param rejectedIds completion y_l; not empty
   */
  public EncodedExample(
      RowOrigin origin, int[] promptIds, int[] chosenIds, int[] rejectedIds, RowNumbers numbers) {
    this(
        origin,
        promptIds,
        List.of(
            new EncodedCompletion(CompletionRole.CHOSEN, chosenIds),
            new EncodedCompletion(CompletionRole.REJECTED, rejectedIds)),
        numbers);
  }

  /** A preference pair without numbers. */
  public EncodedExample(RowOrigin origin, int[] promptIds, int[] chosenIds, int[] rejectedIds) {
    this(origin, promptIds, chosenIds, rejectedIds, RowNumbers.NONE);
  }

  /** The weight in a step's loss, relative to the other examples of the step; 1 by default. */
  public double weight() {
    return numbers.weight().orElse(1);
  }

  /**
   * The margin of a pair for a loss with an offset.
   *
   * @throws IllegalStateException if it was not read
   */
  public double margin() {
    return numbers
        .margin()
        .orElseThrow(() -> new IllegalStateException("%s has no margin".formatted(origin)));
  }

  /** The ids of the chosen completion. */
  public int[] chosenIds() {
    return ids(CompletionRole.CHOSEN);
  }

  /** The ids of the rejected completion. */
  public int[] rejectedIds() {
    return ids(CompletionRole.REJECTED);
  }

  private int[] ids(CompletionRole role) {
    for (EncodedCompletion completion : completions) {
      if (completion.role() == role) {
        return completion.ids();
      }
    }
    throw new IllegalStateException("%s has no completion that is %s".formatted(origin, role));
  }

  /** Whether it has a chosen and a rejected completion. */
  public boolean isPair() {
    return completions.size() == 2 && completions.get(1).role() == CompletionRole.REJECTED;
  }

  /** Whether its one completion is labelled as desirable. */
  public boolean isDesirable() {
    return completions.get(0).role() == CompletionRole.CHOSEN;
  }

  /**
   * The column of a completion in files: {@code chosen}, {@code rejected} or {@code completion}.
   */
  public String column(EncodedCompletion completion) {
    return isPair() ? completion.role().name().toLowerCase(Locale.ROOT) : "completion";
  }

  /** The example with those of its completions that have a role. */
  public EncodedExample only(Predicate<CompletionRole> wanted) {
    List<EncodedCompletion> some =
        completions.stream().filter(completion -> wanted.test(completion.role())).toList();
    return some.size() == completions.size()
        ? this
        : new EncodedExample(origin, promptIds, some, numbers);
  }

  /** The example with the completions that are trained on. */
  public EncodedExample trained() {
    return only(role -> role != CompletionRole.MISMATCHED);
  }

  /** The first {@code maxLength} ids of the prompt with each completion. */
  EncodedExample cut(int maxLength) {
    return new EncodedExample(
        origin,
        promptIds,
        completions.stream()
            .map(completion -> completion.first(Math.max(0, maxLength - promptIds.length)))
            .toList(),
        numbers);
  }

  /**
   * The last {@code maxLength} ids of the prompt with each completion. Completions of different
   * lengths leave different ends of the prompt, which then are unscored ids of each completion.
   */
  EncodedExample cutStart(int maxLength) {
    List<int[]> ends =
        completions.stream()
            .map(
                completion -> {
                  int rest = Math.max(0, maxLength - completion.ids().length);
                  int from = Math.max(0, promptIds.length - rest);
                  return Arrays.copyOfRange(promptIds, from, promptIds.length);
                })
            .toList();
    boolean shared = ends.stream().allMatch(end -> end.length == ends.get(0).length);
    return new EncodedExample(
        origin,
        shared ? ends.get(0) : new int[0],
        IntStream.range(0, ends.size())
            .mapToObj(
                i -> {
                  EncodedCompletion kept = completions.get(i).last(maxLength);
                  return shared ? kept : kept.behind(ends.get(i));
                })
            .toList(),
        numbers);
  }

  /** An example of the same row and numbers with one completion and no prompt. */
  EncodedExample only(EncodedCompletion completion) {
    return new EncodedExample(origin, new int[0], List.of(completion), numbers);
  }

  /** The one completion with the prompt as a part of it. */
  EncodedExample withPromptLearned() {
    EncodedCompletion only = completions.get(0);
    return new EncodedExample(
        origin,
        new int[0],
        List.of(
            new EncodedCompletion(
                only.role(),
                IntStream.concat(IntStream.of(promptIds), IntStream.of(only.ids())).toArray())),
        numbers);
  }

  /** The one completion with ids that are not scored. */
  EncodedExample unscored(BitSet places) {
    EncodedCompletion only = completions.get(0);
    return new EncodedExample(
        origin,
        promptIds,
        List.of(new EncodedCompletion(only.role(), only.ids(), places)),
        numbers);
  }

  /** The example with a further completion. */
  EncodedExample with(EncodedCompletion further) {
    return new EncodedExample(
        origin,
        promptIds,
        Stream.concat(completions.stream(), Stream.of(further)).toList(),
        numbers);
  }

  /**
   * Whether the example has a prompt that can be compared with others'.
   *
   * @param bos the id that the tokenizer puts before any text, even an empty one; -1 for none
   */
  boolean hasPrompt(int bos) {
    return promptIds.length > 1 || (promptIds.length == 1 && promptIds[0] != bos);
  }

  /**
   * Tokens of all completions that a model predicts and a loss takes. The first token after an
   * empty prompt is predicted by nothing.
   */
  public int scoredTokens() {
    int sum = 0;
    for (EncodedCompletion completion : completions) {
      BitSet unscored = completion.unscored();
      boolean firstTaken = unscored == null || !unscored.get(0);
      sum +=
          completion.ids().length
              - (unscored == null ? 0 : unscored.cardinality())
              - (promptIds.length == 0 && firstTaken ? 1 : 0);
    }
    return sum;
  }

  /** Tokens that are trained on as TRL counts them: the prompt once for each completion. */
  public int tokens() {
    int sum = 0;
    for (EncodedCompletion completion : completions) {
      sum +=
          completion.role() == CompletionRole.MISMATCHED
              ? 0
              : promptIds.length + completion.ids().length;
    }
    return sum;
  }
}
