package org.dpo4j.encode;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Maps each element to the first one equal to it: an open-addressing hash table that stores 11
 * bytes per element and compares elements through a callback.
 */
final class FirstOccurrenceIndex {
  private final int[] hashes;
  private final int[] elements; // element + 1; 0 in a free slot

  /**
   * @param most the maximum number of elements
   */
  FirstOccurrenceIndex(int most) {
    // A quarter of the slots stays free, which keeps probe sequences short.
    int slots = (int) Math.min(Integer.MAX_VALUE - 8, most + most / 3L + 2);
    this.hashes = new int[slots];
    this.elements = new int[slots];
  }

  /**
   * The first element equal to this one: itself if there was none before.
   *
   * @param hash equal for equal elements
   * @param equal whether an earlier element with the same hash is equal to this one
   */
  int findOrAdd(int hash, int element, IntPredicate equal) {
    int slot = slot(hash, equal);
    if (elements[slot] != 0) {
      return elements[slot] - 1;
    }
    hashes[slot] = hash;
    elements[slot] = element + 1;
    return element;
  }

  /** The first element equal to one that is not added, or -1 if there is none. */
  int find(int hash, IntPredicate equal) {
    return elements[slot(hash, equal)] - 1;
  }

  /** The slot of the first equal element, or the free slot for it. */
  private int slot(int hash, IntPredicate equal) {
    int spread = hash * 0x9E3779B9; // Fibonacci hashing: similar hashes would form long runs
    int slot = (int) ((Integer.toUnsignedLong(spread) * elements.length) >>> Integer.SIZE);
    while (elements[slot] != 0 && !(hashes[slot] == hash && equal.test(elements[slot] - 1))) {
      slot = slot + 1 == elements.length ? 0 : slot + 1;
    }
    return slot;
  }

  /** Removes all elements. */
  void clear() {
    Arrays.fill(elements, 0);
  }
}
