package org.dpo4j.data;

import java.util.Arrays;
import java.util.SplittableRandom;

/** Random orders that depend on a seed alone. */
public final class Shuffle {

  private Shuffle() {}

  /** The numbers from 0 to {@code count - 1} in random order, by Fisher and Yates's method. */
  public static int[] of(int count, long seed) {
    int[] order = new int[count];
    Arrays.setAll(order, i -> i);
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = count - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swapped = order[i];
      order[i] = order[j];
      order[j] = swapped;
    }
    return order;
  }
}
