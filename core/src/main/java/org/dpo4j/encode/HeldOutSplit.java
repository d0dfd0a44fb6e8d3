package org.dpo4j.encode;

import java.util.Arrays;
import java.util.Objects;
import java.util.stream.IntStream;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.data.Shuffle;

/**
 * Holds out examples of a data set for evaluation. Examples with the same prompt and examples of
 * one row stay together, so that evaluation never sees a trained prompt; their order is kept.
 *
 * @param size below 1 a share of the examples, rounded up as in scikit-learn; from 1 a number
 * @param seed the seed that alone decides which examples are held out
 * @param bos as in {@link EncodedExample#hasPrompt}
 */
public record HeldOutSplit(double size, long seed, int bos) {

  /**
   * @param train the examples to train on
   * @param held the held-out examples: at most the requested number, fewer if prompts with many
   *     examples do not fit
   */
  public record Split(ExampleDataset train, ExampleDataset held) {}

  /**
   * @throws UsageException if either part would be empty
   */
  public Split of(ExampleDataset data) {
    EncodedExamples examples = data.examples();
    int[] groups = groups(examples);
    int[] members = new int[examples.size()];
    for (int group : groups) {
      members[group]++;
    }
    long wanted = size < 1 ? (long) Math.ceil(size * examples.size()) : (long) size;
    boolean[] isHeld = new boolean[examples.size()];
    int held = 0;
    for (int group : Shuffle.of(examples.size(), seed)) {
      if (members[group] > 0 && held + members[group] <= wanted) {
        isHeld[group] = true;
        held += members[group];
      }
    }
    if (held == 0 || held == examples.size()) {
      throw new UsageException(
          "eval_split",
          "must leave some on both sides",
          "%s of %d %ss with %d different prompts holds out %d"
              .formatted(shownSize(), examples.size(), data.counts().noun(), count(groups), held),
          OptionText.of("change it, or pass {eval_file} FILE"));
    }
    int[] train = new int[examples.size() - held];
    int[] evaluation = new int[held];
    for (int i = 0, trained = 0; i < groups.length; i++) {
      if (isHeld[groups[i]]) {
        evaluation[i - trained] = i;
      } else {
        train[trained++] = i;
      }
    }
    return new Split(
        data.keep(train, "held out by eval_split"), data.keep(evaluation, "kept for training"));
  }

  private static long count(int[] groups) {
    return IntStream.range(0, groups.length).filter(i -> groups[i] == i).count();
  }

  private String shownSize() {
    return size < 1 ? Double.toString(size) : Long.toString((long) size);
  }

  /** Maps each example to the first one of its group. */
  private int[] groups(EncodedExamples examples) {
    int[] first = new int[examples.size()];
    Arrays.setAll(first, i -> i);
    FirstOccurrenceIndex seen = new FirstOccurrenceIndex(first.length);
    joinRows(first, examples, seen);
    seen.clear(); // reused: a second table would be as large
    joinPrompts(first, examples, seen);
    for (int i = 0; i < first.length; i++) {
      first[i] = root(first, i);
    }
    return first;
  }

  private static void joinRows(int[] first, EncodedExamples examples, FirstOccurrenceIndex rows) {
    for (int i = 0; i < first.length; i++) {
      RowOrigin row = examples.get(i).origin();
      int hash = Objects.hash(row.file(), row.line(), row.row());
      join(first, i, rows.findOrAdd(hash, i, other -> isOneRow(row, examples.get(other).origin())));
    }
  }

  /** Whether two examples come from one row, such as one with several rejected completions. */
  private static boolean isOneRow(RowOrigin a, RowOrigin b) {
    return a.row() == b.row() && a.line() == b.line() && a.file().equals(b.file());
  }

  private void joinPrompts(int[] first, EncodedExamples examples, FirstOccurrenceIndex prompts) {
    for (int i = 0; i < first.length; i++) {
      int[] key = key(examples.get(i));
      int hash = Arrays.hashCode(key);
      join(
          first,
          i,
          prompts.findOrAdd(hash, i, other -> Arrays.equals(key, key(examples.get(other)))));
    }
  }

  /** The ids to compare: the prompt, or the whole example if it has none. */
  private int[] key(EncodedExample example) {
    return example.hasPrompt(bos)
        ? example.promptIds()
        : example.completions().stream()
            .flatMapToInt(
                completion -> IntStream.concat(IntStream.of(-1), Arrays.stream(completion.ids())))
            .toArray();
  }

  private static void join(int[] first, int example, int other) {
    int a = root(first, example);
    int b = root(first, other);
    first[Math.max(a, b)] = Math.min(a, b);
  }

  private static int root(int[] first, int example) {
    int at = example;
    while (first[at] != at) {
      first[at] = first[first[at]];
      at = first[at];
    }
    return at;
  }
}
