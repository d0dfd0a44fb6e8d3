package org.dpo4j.encode;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.data.CompletionRole;
import org.jspecify.annotations.Nullable;

/**
 * A completion as token ids. Neither the array nor the set is changed after construction.
 *
 * @param ids not empty
 * @param unscored indices of the ids that the loss leaves out, such as those of the user's turns;
 *     null if it takes all
 */
@SuppressWarnings("ArrayRecordComponent") // as in EncodedExample
public record EncodedCompletion(CompletionRole role, int[] ids, @Nullable BitSet unscored) {

  /** A completion that is scored as a whole. */
  public EncodedCompletion(CompletionRole role, int[] ids) {
    this(role, ids, null);
  }

  /** The first ids, at most {@code count}. */
  EncodedCompletion first(int count) {
    return ids.length <= count
        ? this
        : new EncodedCompletion(
            role, Arrays.copyOf(ids, count), unscored == null ? null : unscored.get(0, count));
  }

  /** The last ids, at most {@code count}. */
  EncodedCompletion last(int count) {
    int from = ids.length - count;
    return from <= 0
        ? this
        : new EncodedCompletion(
            role,
            Arrays.copyOfRange(ids, from, ids.length),
            unscored == null ? null : unscored.get(from, ids.length));
  }

  /** The completion behind ids that are not scored. */
  EncodedCompletion behind(int[] before) {
    BitSet places = new BitSet();
    places.set(0, before.length);
    if (unscored != null) {
      unscored.stream().forEach(place -> places.set(before.length + place));
    }
    return new EncodedCompletion(
        role, IntStream.concat(IntStream.of(before), IntStream.of(ids)).toArray(), places);
  }

  /** The same ids in another role. */
  EncodedCompletion as(CompletionRole other) {
    return new EncodedCompletion(other, ids, unscored);
  }

  /** Whether two lists have the same ids; roles and scored positions are not compared. */
  static boolean sameIds(List<EncodedCompletion> a, List<EncodedCompletion> b) {
    return a.size() == b.size()
        && IntStream.range(0, a.size()).allMatch(i -> Arrays.equals(a.get(i).ids, b.get(i).ids));
  }
}
