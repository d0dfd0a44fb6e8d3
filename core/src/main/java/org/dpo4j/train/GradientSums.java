package org.dpo4j.train;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.ranks.Ranks;
import org.dpo4j.torch.TensorScope;

/**
 * The sums of the gradients over all ranks, in parts. A part is begun in the last backward pass of
 * a step as soon as that has completed the blocks of the part, so that the network works while the
 * blocks below are computed. All ranks begin the same parts in the same order, also one without an
 * example in the step.
 */
final class GradientSums implements AutoCloseable {

  /** Gradients of a part, at least, if there are more: a shorter message is hardly faster. */
  static final long PART = 1 << 20;

  /** The number of a block in the path of a parameter. */
  private static final Pattern BLOCK = Pattern.compile("\\.(\\d+)\\.");

  /** Of parameters outside the blocks, such as tables and the head. */
  private static final int OUTSIDE = -1;

  /**
   * Neighbouring gradients.
   *
   * @param block the lowest block of them, or {@link #OUTSIDE}
   */
  record Part(int block, long from, long count) {}

  private final Tensor gradients;
  private final Ranks ranks;
  private final List<Part> parts;
  private final List<Ranks.PendingSum> begun = new ArrayList<>();

  GradientSums(FlatParameters parameters, Ranks ranks) {
    this(parameters, ranks, PART);
  }

  /** As above, with parts of another size, for tests. */
  GradientSums(FlatParameters parameters, Ranks ranks, long part) {
    this.gradients = parameters.gradients();
    this.ranks = ranks;
    this.parts = parts(parameters.ranges(), part);
  }

  /**
   * The parts in the order in which a backward pass completes them.
   *
   * @param least gradients of a part, if there are more
   */
  static List<Part> parts(List<FlatParameters.Range> ranges, long least) {
    List<FlatParameters.Range> fromTheEnd = new ArrayList<>(ranges);
    Collections.reverse(fromTheEnd);
    List<Part> parts = new ArrayList<>();
    for (FlatParameters.Range range : fromTheEnd) {
      int block = block(range.name());
      Part own = new Part(block, range.from(), range.count());
      int last = parts.size() - 1;
      if (last >= 0 && joins(block, parts.get(last), least)) {
        parts.set(last, new Part(block, own.from, own.count + parts.get(last).count));
      } else {
        parts.add(own);
      }
    }
    parts.sort(Comparator.comparing(Part::block, Comparator.reverseOrder()));
    return parts;
  }

  /** A block is not cut, and blocks are joined while the part is small. */
  private static boolean joins(int block, Part above, long least) {
    return block == above.block || (block != OUTSIDE && block < above.block && above.count < least);
  }

  private static int block(String name) {
    Matcher found = BLOCK.matcher(name);
    return found.find() ? Integer.parseInt(found.group(1)) : OUTSIDE;
  }

  /** Begins the parts of which this block is the lowest, and those above. */
  void blockDone(int block) {
    while (begun.size() < parts.size() && parts.get(begun.size()).block >= block) {
      begin(parts.get(begun.size()));
    }
  }

  private void begin(Part part) {
    try (TensorScope scope = TensorScope.open()) {
      begun.add(ranks.startSum(gradients.narrow(0, part.from, part.count)));
    }
  }

  /**
   * Begins all other parts; returns when all gradients are sums.
   *
   * @throws org.dpo4j.DpoException if another rank is gone or late
   */
  void finish() {
    blockDone(OUTSIDE);
    begun.forEach(Ranks.PendingSum::await);
    close();
  }

  /** Frees the handles of sums that a failure has cut short. */
  @Override
  public void close() {
    begun.forEach(Ranks.PendingSum::close);
    begun.clear();
  }
}
