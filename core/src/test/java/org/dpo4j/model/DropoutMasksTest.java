package org.dpo4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.RowPartition;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;

/** Closes: a mask that changes with the number of threads, or is the same in two places. */
class DropoutMasksTest {

  private static final int ROWS = 3 * DropoutMasks.BLOCK + 5;
  private static final int WIDTH = 7;
  private static final int LAYER = 4;

  @Test
  void oneTwoOrThreeThreadsDrawTheSameMasks() {
    double[] whole = mask(DropoutMasks.of(3, ROWS), LAYER, 0.5);
    for (int threads : new int[] {1, 2, 3}) {
      RowPartition partition = new RowPartition(ROWS, threads);
      double[] joined =
          IntStream.range(0, threads)
              .mapToObj(
                  i -> DropoutMasks.of(3, ROWS).rows(partition.from(i), partition.from(i + 1)))
              .flatMapToDouble(masks -> Arrays.stream(mask(masks, LAYER, 0.5)))
              .toArray();
      assertThat(joined).isEqualTo(whole);
    }
  }

  /** As in the last block, which computes the rows of some tokens alone. */
  @Test
  void aRowHasItsMaskAlsoWhereOtherRowsAreLeftOut() {
    double[] whole = mask(DropoutMasks.of(3, ROWS), LAYER, 0.5);
    int[] some = {0, 5, 6, 31, 32, 95, 96, 100};
    double[] expected =
        Arrays.stream(some)
            .flatMap(row -> IntStream.range(row * WIDTH, (row + 1) * WIDTH))
            .mapToDouble(i -> whole[i])
            .toArray();
    assertThat(mask(DropoutMasks.of(3, some), LAYER, 0.5)).isEqualTo(expected);
  }

  @Test
  void seedsLayersAndBlocksOfRowsHaveDifferentMasks() {
    double[] one = mask(DropoutMasks.of(3, ROWS), LAYER, 0.5);
    assertThat(mask(DropoutMasks.of(4, ROWS), LAYER, 0.5)).isNotEqualTo(one);
    assertThat(mask(DropoutMasks.of(3, ROWS), LAYER + 1, 0.5)).isNotEqualTo(one);
    int block = DropoutMasks.BLOCK * WIDTH;
    assertThat(Arrays.copyOf(one, block)).isNotEqualTo(Arrays.copyOfRange(one, block, 2 * block));
  }

  @Test
  void aMaskIsZeroWithTheGivenProbabilityAndOneOnAverage() {
    int rows = 400;
    double[] mask = mask(DropoutMasks.of(3, rows), LAYER, 0.2);
    double scale = 1 / 0.8;
    assertThat(Arrays.stream(mask).distinct().sorted()).containsExactly(0.0, scale);
    // Five standard deviations of the mean of 2,800 draws.
    double deviation = scale * Math.sqrt(0.2 * 0.8 / mask.length);
    assertThat(Arrays.stream(mask).average().orElseThrow()).isCloseTo(1, within(5 * deviation));
  }

  @Test
  void inputOfOtherRowsIsRefused() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor input = Tensors.zeros(ElementType.F32, 3, WIDTH);
      assertThatThrownBy(() -> DropoutMasks.of(3, 4).mask(LAYER, input, 0.5))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("for 4 rows but the input has 3");
    }
  }

  private static double[] mask(DropoutMasks masks, int layer, double probability) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor like = Tensors.zeros(ElementType.F64, masks.count(), WIDTH);
      return Tensors.toDoubles(masks.mask(layer, like, probability));
    }
  }
}
