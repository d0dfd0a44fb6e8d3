package org.dpo4j.encode;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.dpo4j.UsageException;
import org.dpo4j.data.RowOrigin;

/**
 * Holds some pairs of a data set out for evaluation. Pairs of one prompt and pairs of one row stay
 * on one side, so that what is evaluated was not trained on; the order of the pairs stays as it is.
 *
 * @param size below 1 a share of the pairs, rounded up as in scikit-learn; else a number of pairs
 * @param seed decides which pairs, and nothing else does
 */
public record HeldOutSplit(double size, long seed) {

  /**
   * @param train what stays
   * @param held what is held out: at most the size asked for, less where prompts with many pairs do
   *     not fit
   */
  public record Sides(PairDataset train, PairDataset held) {}

  /**
   * @throws UsageException if a side would have no pair
   */
  public Sides of(PairDataset data) {
    List<EncodedPair> pairs = data.pairs();
    int[] groups = groups(pairs);
    int[] members = new int[pairs.size()];
    for (int group : groups) {
      members[group]++;
    }
    long wanted = size < 1 ? (long) Math.ceil(size * pairs.size()) : (long) size;
    boolean[] isHeld = new boolean[pairs.size()];
    int held = 0;
    for (int group : shuffled(pairs.size())) {
      if (members[group] > 0 && held + members[group] <= wanted) {
        isHeld[group] = true;
        held += members[group];
      }
    }
    if (held == 0 || held == pairs.size()) {
      throw new UsageException(
          ("--eval_split must leave a pair on both sides but %s of %d pairs with %d different"
                  + " prompts holds out %d; change it, or pass --eval_file FILE")
              .formatted(
                  shownSize(), pairs.size(), Arrays.stream(groups).distinct().count(), held));
    }
    List<EncodedPair> train = new ArrayList<>();
    List<EncodedPair> evaluation = new ArrayList<>();
    for (int i = 0; i < groups.length; i++) {
      (isHeld[groups[i]] ? evaluation : train).add(pairs.get(i));
    }
    return new Sides(
        data.keep(train, "held out by eval_split"), data.keep(evaluation, "kept for training"));
  }

  private String shownSize() {
    return size < 1 ? Double.toString(size) : Long.toString((long) size);
  }

  /** For each pair the first pair that it must stay with. */
  private static int[] groups(List<EncodedPair> pairs) {
    int[] first = new int[pairs.size()];
    Map<Object, Integer> seen = new HashMap<>();
    for (int i = 0; i < first.length; i++) {
      first[i] = i;
      EncodedPair pair = pairs.get(i);
      join(first, i, seen.putIfAbsent(row(pair.origin()), i));
      // A pair without a prompt shares none.
      if (pair.promptIds().length > 0) {
        join(first, i, seen.putIfAbsent(Arrays.stream(pair.promptIds()).boxed().toList(), i));
      }
    }
    for (int i = 0; i < first.length; i++) {
      first[i] = root(first, i);
    }
    return first;
  }

  /** The row alone, of one that lists several rejected completions. */
  private static RowOrigin row(RowOrigin origin) {
    return new RowOrigin(origin.file(), origin.line(), origin.row());
  }

  private static void join(
      int[] first, int pair, @org.jspecify.annotations.Nullable Integer other) {
    if (other != null) {
      int a = root(first, pair);
      int b = root(first, other);
      first[Math.max(a, b)] = Math.min(a, b);
    }
  }

  private static int root(int[] first, int pair) {
    int at = pair;
    while (first[at] != at) {
      first[at] = first[first[at]];
      at = first[at];
    }
    return at;
  }

  private int[] shuffled(int count) {
    int[] order = new int[count];
    Arrays.setAll(order, i -> i);
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = count - 1; i > 0; i--) { // Fisher-Yates
      int j = random.nextInt(i + 1);
      int swapped = order[i];
      order[i] = order[j];
      order[j] = swapped;
    }
    return order;
  }
}
