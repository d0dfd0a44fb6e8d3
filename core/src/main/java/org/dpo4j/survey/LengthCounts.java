package org.dpo4j.survey;

import java.util.Arrays;

/** Lengths in tokens, counted one by one: percentiles are exact up to a length of a million. */
public final class LengthCounts {
  private static final int MOST = 1 << 20;

  private int[] counts = new int[1 << 10];
  private long size;
  private long sum;
  private int longest;

  LengthCounts() {}

  void add(int length) {
    int place = Math.min(length, MOST);
    if (place >= counts.length) {
      counts = Arrays.copyOf(counts, Math.min(MOST + 1, Math.max(place + 1, 2 * counts.length)));
    }
    counts[place]++;
    size++;
    sum += length;
    longest = Math.max(longest, length);
  }

  /** How many lengths were counted. */
  public long size() {
    return size;
  }

  /** The mean; NaN without lengths. */
  public double mean() {
    return (double) sum / size;
  }

  /** The greatest length; 0 without lengths. */
  public int longest() {
    return longest;
  }

  /**
   * The smallest length that a share of all lengths does not exceed.
   *
   * @param share above 0, up to 1
   */
  public int percentile(double share) {
    long wanted = (long) Math.ceil(share * size);
    long seen = 0;
    for (int length = 0; length < counts.length; length++) {
      seen += counts[length];
      if (seen >= wanted) {
        return length == MOST ? longest : length;
      }
    }
    return longest;
  }

  /** How many lengths are above this one, which must be below a million. */
  public long above(int length) {
    long atMost = 0;
    for (int i = 0; i <= Math.min(length, counts.length - 1); i++) {
      atMost += counts[i];
    }
    return size - atMost;
  }
}
