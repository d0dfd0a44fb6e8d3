package org.dpo4j.batch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: pairs that are trained on twice or never, and orders that depend on more than the seed.
 */
class EpochPlanTest {

  @ParameterizedTest
  @CsvSource({"1,1,1", "10,3,2", "10,10,1", "7,20,5", "12,4,3", "13,1,4"})
  void everyPairComesExactlyOncePerEpochAndNoStepCrossesIt(int pairs, int micro, int accumulation) {
    for (boolean shuffle : new boolean[] {false, true}) {
      EpochPlan plan =
          new EpochPlan(
              pairs,
              micro,
              accumulation,
              shuffle ? EpochPlan.Order.SHUFFLED : EpochPlan.Order.FILE,
              5);
      for (int epoch = 0; epoch < 3; epoch++) {
        List<List<int[]>> steps = plan.steps(epoch);
        assertThat(flat(plan, epoch))
            .containsExactlyInAnyOrder(IntStream.range(0, pairs).toArray());
        assertThat(steps).hasSize(plan.stepsPerEpoch());
        assertThat(steps.stream().mapToInt(List::size).sum())
            .isEqualTo(plan.microBatchesPerEpoch());
        assertThat(steps).allSatisfy(step -> assertThat(step).hasSizeBetween(1, accumulation));
      }
    }
  }

  /** 10 pairs in micro-batches of 3, two to a step: (0 1 2)(3 4 5) | (6 7 8)(9). */
  @Test
  void theLastMicroBatchAndTheLastStepMayBeSmaller() {
    List<List<int[]>> steps = new EpochPlan(10, 3, 2, EpochPlan.Order.FILE, 0).steps(0);
    assertThat(steps).hasSize(2);
    assertThat(steps.get(0).get(1)).containsExactly(3, 4, 5);
    assertThat(steps.get(1)).hasSize(2);
    assertThat(steps.get(1).get(1)).containsExactly(9);
    assertThat(new EpochPlan(7, 3, 2, EpochPlan.Order.FILE, 0).steps(0).get(1)).hasSize(1);
  }

  @Test
  void theOrderDependsOnSeedAndEpochOnly() {
    int[] order = flat(new EpochPlan(50, 4, 3, EpochPlan.Order.SHUFFLED, 11), 2);
    assertThat(flat(new EpochPlan(50, 4, 3, EpochPlan.Order.SHUFFLED, 11), 2))
        .containsExactly(order);
    assertThat(flat(new EpochPlan(50, 7, 1, EpochPlan.Order.SHUFFLED, 11), 2))
        .containsExactly(order);
    assertThat(flat(new EpochPlan(50, 4, 3, EpochPlan.Order.SHUFFLED, 12), 2)).isNotEqualTo(order);
    assertThat(flat(new EpochPlan(50, 4, 3, EpochPlan.Order.SHUFFLED, 11), 3)).isNotEqualTo(order);
    assertThat(flat(new EpochPlan(50, 4, 3, EpochPlan.Order.SHUFFLED, 11), 0)).isNotEqualTo(order);
  }

  /** Written down when steps were lists in memory: the same seed trains in the same order. */
  @Test
  void theOrderOfASeedStaysWhatItWas() {
    assertThat(flat(new EpochPlan(12, 2, 2, EpochPlan.Order.SHUFFLED, 11), 2))
        .containsExactly(11, 2, 9, 6, 1, 7, 5, 10, 3, 8, 0, 4);
  }

  @Test
  void aMicroBatchMayBeLargerThanAnyDataSet() {
    int most = Integer.MAX_VALUE;
    List<List<int[]>> steps = new EpochPlan(3, most, most, EpochPlan.Order.FILE, 0).steps(0);
    assertThat(steps).hasSize(1);
    assertThat(steps.get(0).get(0)).containsExactly(0, 1, 2);
    assertThatThrownBy(() -> steps.get(1)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void withoutShufflingTheOrderIsThatOfTheFile() {
    for (int epoch = 0; epoch < 2; epoch++) {
      assertThat(flat(new EpochPlan(9, 2, 2, EpochPlan.Order.FILE, 3), epoch))
          .containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1})
  void sizesBelowOneAreRefused(int size) {
    assertThatThrownBy(() -> new EpochPlan(size, 1, 1, EpochPlan.Order.FILE, 0))
        .hasMessageContaining("" + size);
    assertThatThrownBy(() -> new EpochPlan(1, size, 1, EpochPlan.Order.FILE, 0))
        .hasMessageContaining("" + size);
    assertThatThrownBy(() -> new EpochPlan(1, 1, size, EpochPlan.Order.FILE, 0))
        .hasMessageContaining("" + size);
  }

  private static int[] flat(EpochPlan plan, int epoch) {
    return plan.steps(epoch).stream().flatMap(List::stream).flatMapToInt(Arrays::stream).toArray();
  }

  @Test
  void shuffledBatchesKeepTheirExamplesTogetherAndTheIncompleteOneLast() {
    EpochPlan plan = new EpochPlan(11, 3, 1, EpochPlan.Order.SHUFFLED_BATCHES, 5);
    List<List<Integer>> batches =
        plan.steps(2).stream().map(step -> IntStream.of(step.get(0)).boxed().toList()).toList();

    assertThat(batches).hasSize(4).endsWith(List.of(9, 10));
    assertThat(batches)
        .containsExactlyInAnyOrder(
            List.of(0, 1, 2), List.of(3, 4, 5), List.of(6, 7, 8), List.of(9, 10));
    assertThat(IntStream.range(0, 20).mapToObj(epoch -> first(plan, epoch)).distinct()).hasSize(3);
  }

  private static int first(EpochPlan plan, int epoch) {
    return plan.steps(epoch).get(0).get(0)[0];
  }
}
