package org.dpo4j.encode;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The order of examples that pairs were taken apart into: of each block of rows first all desirable
 * completions, then all undesirable ones, as in TRL. Neighbors then have different prompts, which
 * mismatched completions need.
 */
final class LabelOrder {

  /** TRL maps data sets in blocks of this size. */
  private static final int ROWS = 1000;

  private int[] indices = new int[ROWS];
  private final List<Integer> undesirable = new ArrayList<>();
  private int ordered;
  private int size;
  private int block;
  private int row;
  private boolean pairs;

  /** Adds the next example of the file. */
  void add(EncodedExample example) {
    int next = example.origin().row();
    if ((next - 1) / ROWS != block) {
      endBlock();
      block = (next - 1) / ROWS;
    }
    boolean desirable = example.isDesirable();
    pairs |= next == row && !desirable;
    row = next;
    if (desirable || !pairs) {
      append(size++);
    } else {
      undesirable.add(size++);
    }
  }

  private void append(int index) {
    if (ordered == indices.length) {
      indices = Arrays.copyOf(indices, 2 * ordered);
    }
    indices[ordered++] = index;
  }

  private void endBlock() {
    undesirable.forEach(this::append);
    undesirable.clear();
  }

  /** Ends a file. */
  void end() {
    endBlock();
    row = 0;
  }

  /** Whether the order differs from that of the rows. */
  boolean changed() {
    return pairs;
  }

  /** The examples in order, as indices in the order of the rows. */
  int[] indices() {
    return Arrays.copyOf(indices, ordered);
  }
}
