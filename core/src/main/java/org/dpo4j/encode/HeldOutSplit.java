package org.dpo4j.encode;

import java.util.Arrays;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.data.Shuffle;

/**
 * Holds some pairs of a data set out for evaluation. Pairs of one prompt and pairs of one row stay
 * on one side, so that what is evaluated was not trained on; the order of the pairs stays as it is.
 *
 * @param size below 1 a share of the pairs, rounded up as in scikit-learn; else a number of pairs
 * @param seed decides which pairs, and nothing else does
 * @param bos as in {@link EncodedPair#hasPrompt}
 */
public record HeldOutSplit(double size, long seed, int bos) {

  /**
   * @param train what stays
   * @param held what is held out: at most the size asked for, less where prompts with many pairs do
   *     not fit
   */
  public record Split(PairDataset train, PairDataset held) {}

  /**
   * @throws UsageException if a side would have no pair
   */
  public Split of(PairDataset data) {
    EncodedPairs pairs = data.pairs();
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

  /** For each pair the first pair that it must stay with. */
  private int[] groups(EncodedPairs pairs) {
    int[] first = new int[pairs.size()];
    Arrays.setAll(first, i -> i);
    FirstOccurrenceIndex seen = new FirstOccurrenceIndex(first.length);
    joinRows(first, pairs, seen);
    seen.clear(); // a second table would be as large
    joinPrompts(first, pairs, seen);
    for (int i = 0; i < first.length; i++) {
      first[i] = root(first, i);
    }
    return first;
  }

  private static void joinRows(int[] first, EncodedPairs pairs, FirstOccurrenceIndex rows) {
    for (int i = 0; i < first.length; i++) {
      RowOrigin row = pairs.get(i).origin();
      int hash = Objects.hash(row.file(), row.line(), row.row());
      join(first, i, rows.firstLike(hash, i, other -> isOneRow(row, pairs.get(other).origin())));
    }
  }

  /** Whether two pairs come from one row, which lists several rejected completions. */
  private static boolean isOneRow(RowOrigin a, RowOrigin b) {
    return a.row() == b.row() && a.line() == b.line() && a.file().equals(b.file());
  }

  private void joinPrompts(int[] first, EncodedPairs pairs, FirstOccurrenceIndex prompts) {
    for (int i = 0; i < first.length; i++) {
      int[] key = key(pairs.get(i));
      int hash = Arrays.hashCode(key);
      join(
          first, i, prompts.firstLike(hash, i, other -> Arrays.equals(key, key(pairs.get(other)))));
    }
  }

  /** The prompt; a pair without one is like another only if all of it is. */
  private int[] key(EncodedPair pair) {
    return pair.hasPrompt(bos)
        ? pair.promptIds()
        : Stream.of(new int[] {-1}, pair.chosenIds(), new int[] {-1}, pair.rejectedIds())
            .flatMapToInt(Arrays::stream)
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
