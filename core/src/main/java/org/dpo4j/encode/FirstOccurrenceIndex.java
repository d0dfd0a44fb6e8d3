package org.dpo4j.encode;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Finds for each of some things the first one like it, with 11 bytes a thing: the things themselves
 * stay where they are. A hash table with open addressing.
 */
final class FirstOccurrenceIndex {
  private final int[] hashes;
  private final int[] things; // plus 1; 0 where a place is free

  /**
   * @param most how many things there are
   */
  FirstOccurrenceIndex(int most) {
    // A quarter stays free, so that a search ends soon.
    int places = (int) Math.min(Integer.MAX_VALUE - 8, most + most / 3L + 2);
    this.hashes = new int[places];
    this.things = new int[places];
  }

  /**
   * The first thing like this one, which is itself where there was none.
   *
   * @param hash the same for things that are alike
   * @param like whether an earlier thing of the same hash is like this one
   */
  int firstLike(int hash, int thing, IntPredicate like) {
    int place = place(hash, like);
    if (things[place] != 0) {
      return things[place] - 1;
    }
    hashes[place] = hash;
    things[place] = thing + 1;
    return thing;
  }

  /** The first thing like one that is not added itself, or -1 if there is none. */
  int find(int hash, IntPredicate like) {
    return things[place(hash, like)] - 1;
  }

  /** Where the first thing like this one is, or the free place where it would be. */
  private int place(int hash, IntPredicate like) {
    int spread = hash * 0x9E3779B9; // of neighbours, which would fill the table in long runs
    int place = (int) ((Integer.toUnsignedLong(spread) * things.length) >>> Integer.SIZE);
    while (things[place] != 0 && !(hashes[place] == hash && like.test(things[place] - 1))) {
      place = place + 1 == things.length ? 0 : place + 1;
    }
    return place;
  }

  /** Forgets all things. */
  void clear() {
    Arrays.fill(things, 0);
  }
}
