package org.dpo4j.encode;

import java.util.Arrays;
import java.util.Objects;
import java.util.stream.IntStream;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.data.Shuffle;

/**
 * Holds out pairs of a data set for evaluation. Pairs with the same prompt and pairs of one row
 * stay together, so that evaluation never sees a trained prompt; the order of the pairs is kept.
 *
 * @param size below 1 a share of the pairs, rounded up as in scikit-learn; from 1 a number of pairs
 * @param seed the seed that alone decides which pairs are held out
 * @param bos as in {@link EncodedExample#hasPrompt}
 */
public record HeldOutSplit(double size, long seed, int bos) {

  /**
   * @param train indices of the pairs to train on
   * @param held indices of the held-out pairs: at most the requested number, fewer if prompts with
   *     many pairs do not fit
   */
  public record Split(ExampleDataset train, ExampleDataset held) {}

  /**
   * @throws UsageException if either part would be empty
   */
  public Split of(ExampleDataset data) {
    EncodedExamples pairs = data.pairs();
    int[] groups = groups(pairs);
    int[] members = new int[pairs.size()];
    for (int group : groups) {
      members[group]++;
    }
    long wanted = size < 1 ? (long) Math.ceil(size * pairs.size()) : (long) size;
    boolean[] isHeld = new boolean[pairs.size()];
    int held = 0;
    for (int group : Shuffle.of(pairs.size(), seed)) {
      if (members[group] > 0 && held + members[group] <= wanted) {
        isHeld[group] = true;
        held += members[group];
      }
    }
    if (held == 0 || held == pairs.size()) {
      throw new UsageException(
          "eval_split",
          "must leave a pair on both sides",
          "%s of %d pairs with %d different prompts holds out %d"
              .formatted(shownSize(), pairs.size(), count(groups), held),
          OptionText.of("change it, or pass {eval_file} FILE"));
    }
    int[] train = new int[pairs.size() - held];
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

  /** Maps each pair to the first pair of its group. */
  private int[] groups(EncodedExamples pairs) {
    int[] first = new int[pairs.size()];
    Arrays.setAll(first, i -> i);
    FirstOccurrenceIndex seen = new FirstOccurrenceIndex(first.length);
    joinRows(first, pairs, seen);
    seen.clear(); // reused: a second table would be as large
    joinPrompts(first, pairs, seen);
    for (int i = 0; i < first.length; i++) {
      first[i] = root(first, i);
    }
    return first;
  }

  private static void joinRows(int[] first, EncodedExamples pairs, FirstOccurrenceIndex rows) {
    for (int i = 0; i < first.length; i++) {
      RowOrigin row = pairs.get(i).origin();
      int hash = Objects.hash(row.file(), row.line(), row.row());
      join(first, i, rows.findOrAdd(hash, i, other -> isOneRow(row, pairs.get(other).origin())));
    }
  }

  /** Whether two pairs come from one row that lists several rejected completions. */
  private static boolean isOneRow(RowOrigin a, RowOrigin b) {
    return a.row() == b.row() && a.line() == b.line() && a.file().equals(b.file());
  }

  private void joinPrompts(int[] first, EncodedExamples pairs, FirstOccurrenceIndex prompts) {
    for (int i = 0; i < first.length; i++) {
      int[] key = key(pairs.get(i));
      int hash = Arrays.hashCode(key);
      join(
          first, i, prompts.findOrAdd(hash, i, other -> Arrays.equals(key, key(pairs.get(other)))));
    }
  }

  /** The ids to compare: the prompt, or the whole pair if it has none. */
  private int[] key(EncodedExample pair) {
    return pair.hasPrompt(bos)
        ? pair.promptIds()
        : pair.completions().stream()
            .flatMapToInt(
                completion -> IntStream.concat(IntStream.of(-1), Arrays.stream(completion.ids())))
            .toArray();
  }

  private static void join(int[] first, int pair, int other) {
    int a = root(first, pair);
    int b = root(first, other);
    first[Math.max(a, b)] = Math.min(a, b);
  }

  private static int root(int[] first, int pair) {
    int at = pair;
    while (first[at] != at) {
      first[at] = first[first[at]];
      at = first[at];
    }
    return at;
  }
}
