package org.dpo4j.encode;

import java.util.function.IntPredicate;

/**
 * Finds for each of some things the first one like it, with 11 to 22 bytes a thing: the things
 * themselves stay where they are. A hash table with open addressing.
 */
final class FirstSeen {
  private final int[] hashes;
  private final int[] things; // plus 1; 0 where a place is free

  /**
   * @param most how many things there are
   */
  FirstSeen(int most) {
    int places = 2;
    while (places < most + most / 3L
        && places < 1 << 30) { // a quarter stays free, so that a search ends soon
      places *= 2;
    }
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
    int spread = hash * 0x9E3779B9; // of neighbours, which would fill the table in long runs
    int place = (spread ^ (spread >>> 15)) & (hashes.length - 1);
    while (things[place] != 0) {
      if (hashes[place] == hash && like.test(things[place] - 1)) {
        return things[place] - 1;
      }
      place = (place + 1) & (hashes.length - 1);
    }
    hashes[place] = hash;
    things[place] = thing + 1;
    return thing;
  }
}
