package org.dpo4j.model;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.DropoutSeed;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Dropout masks for some rows of a forward pass. An element of a mask is a function of the seed of
 * the pass, the layer, the row and the column. The number of threads, the engine and recomputation
 * therefore do not change it.
 */
public final class DropoutMasks {

  /** Rows that share one random stream; a thread whose rows begin inside a block draws it whole. */
  static final int BLOCK = 32;

  private final long seed;
  private final int[] rows;

  private DropoutMasks(long seed, int[] rows) {
    this.seed = seed;
    this.rows = rows;
  }

  /** The masks of rows 0 to {@code rows - 1}. */
  public static DropoutMasks of(long seed, int rows) {
    return new DropoutMasks(seed, IntStream.range(0, rows).toArray());
  }

  /** The masks of the given rows, in ascending order. */
  static DropoutMasks of(long seed, int[] rows) {
    return new DropoutMasks(seed, rows);
  }

  int count() {
    return rows.length;
  }

  /** The masks of some of these rows, from {@code from} (inclusive) to {@code to} (exclusive). */
  public DropoutMasks rows(int from, int to) {
    return new DropoutMasks(seed, Arrays.copyOfRange(rows, from, to));
  }

  /**
   * Draws a mask: 0 with the given probability, else 1 / (1 - probability), so that the mean is 1.
   *
   * @param layer index of the layer; no other layer of the pass has the same one
   * @param like shape (rows, width); gives the type and the device
   * @param probability in [0, 1)
   */
  Tensor mask(int layer, Tensor like, double probability) {
    if (like.size(0) != rows.length) {
      throw new IllegalArgumentException(
          "dropout masks are for %d rows but the input has %d"
              .formatted(rows.length, like.size(0)));
    }
    try (NoGrad noGrad = NoGrad.open()) {
      return TensorScope.compute(
          () -> {
            Tensor mask = Tensors.empty(Tensors.elementType(like), like.shape());
            for (int from = 0; from < rows.length; ) {
              int block = rows[from] / BLOCK;
              int to = from + 1;
              while (to < rows.length && rows[to] / BLOCK == block) {
                to++;
              }
              draw(DropoutSeed.ofRows(seed, layer, block), mask, from, to, probability);
              from = to;
            }
            return mask.div_(Tensors.scalar(1 - probability))
                .to(like.device(), like.scalar_type().intern());
          });
    }
  }

  /** Fills rows {@code from} (inclusive) to {@code to} (exclusive), which are of one block. */
  private void draw(long blockSeed, Tensor mask, int from, int to, double probability) {
    try (TensorScope scope = TensorScope.open();
        RandomNumbers random = new RandomNumbers(blockSeed)) {
      Tensor target = Tensors.rows(mask, 0, from, to);
      if (to - from == BLOCK) {
        random.bernoulli(target, 1 - probability);
        return;
      }
      Tensor whole = Tensors.empty(Tensors.elementType(mask), BLOCK, mask.size(1));
      random.bernoulli(whole, 1 - probability);
      int[] inBlock = IntStream.range(from, to).map(i -> rows[i] % BLOCK).toArray();
      target.copy_(whole.index_select(0, Tensors.longs(inBlock)));
    }
  }
}
