package org.dpo4j.model.decoder;

import java.util.List;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;

/**
 * Projections of one input.
 *
 * @param linears a linear layer for each width, or one for all widths
 * @param groups number of groups of rows of the one layer, each of which has its part of every
 *     width; 1 if the rows of each width are together
 * @param widths of the outputs
 */
record Projections(List<Linear> linears, int groups, List<Integer> widths) {

  /**
   * Maps (tokens, in) to a node for each width, of shape (tokens, width), or (tokens, groups, width
   * / groups) where there are groups.
   */
  List<Node> apply(Node input) {
    if (linears.size() == widths.size()) {
      return linears.stream().map(linear -> linear.apply(input)).toList();
    }
    long[] sizes = widths.stream().mapToLong(width -> width / groups).toArray();
    Node all = linears.get(0).apply(input);
    return groups == 1 ? all.split(sizes) : all.reshape(-1, groups, sum(sizes)).split(sizes);
  }

  private static long sum(long[] sizes) {
    long sum = 0;
    for (long size : sizes) {
      sum += size;
    }
    return sum;
  }

  /** As {@link #apply}, for outputs that will be saved. */
  List<Node> applyInArena(Node input) {
    return linears.size() == widths.size()
        ? linears.stream().map(linear -> linear.applyInArena(input)).toList()
        : apply(input);
  }
}
