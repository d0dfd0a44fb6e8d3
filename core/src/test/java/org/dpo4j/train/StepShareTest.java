package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.reference.ScoredExample;
import org.junit.jupiter.api.Test;

class StepShareTest {

  @Test
  void everyRankGetsEveryNthMicroBatch() {
    List<List<ScoredExample>> step = List.of(examples(1, 2), examples(3, 4), examples(5));
    StepShare first = StepShare.roundRobin(step, 0, 2);
    StepShare second = StepShare.roundRobin(step, 1, 2);
    assertThat(first.microBatches()).extracting(StepShare.Part::number).containsExactly(0, 2);
    assertThat(first.microBatches())
        .extracting(StepShare.Part::places)
        .containsExactly(new int[] {0, 1}, new int[] {4});
    assertThat(second.microBatches())
        .extracting(StepShare.Part::places)
        .containsExactly(new int[] {2, 3});
    assertThat(StepShare.roundRobin(step, 3, 4).microBatches()).isEmpty();
  }

  @Test
  void examplesAreDividedByCostAndEachIsInOneShare() {
    Random random = new Random(7);
    for (int trial = 0; trial < 50; trial++) {
      int ranks = 1 + random.nextInt(5);
      List<ScoredExample> step = examples(random.ints(1 + random.nextInt(20), 1, 100).toArray());
      List<Integer> places = new ArrayList<>();
      double[] costs = new double[ranks];
      for (int rank = 0; rank < ranks; rank++) {
        for (StepShare.Part part :
            StepShare.balanced(step, 3, StepShareTest::cost, rank, ranks).microBatches()) {
          assertThat(part.examples()).hasSizeBetween(1, 3).hasSameSizeAs(part.places());
          for (int i = 0; i < part.places().length; i++) {
            assertThat(part.examples().get(i)).isSameAs(step.get(part.places()[i]));
            places.add(part.places()[i]);
            costs[rank] += cost(part.examples().get(i));
          }
        }
      }
      assertThat(places)
          .containsExactlyInAnyOrderElementsOf(IntStream.range(0, step.size()).boxed().toList());
      double largest = step.stream().mapToDouble(StepShareTest::cost).max().orElseThrow();
      // The last example that a rank got was given to it because it had the least until then.
      assertThat(IntStream.range(0, ranks).mapToDouble(i -> costs[i]).max().orElseThrow())
          .isLessThanOrEqualTo(
              step.stream().mapToDouble(StepShareTest::cost).sum() / ranks + largest);
    }
  }

  private static double cost(ScoredExample scored) {
    return scored.example().chosenIds().length;
  }

  private static List<ScoredExample> examples(int... lengths) {
    return IntStream.of(lengths)
        .mapToObj(
            length ->
                new ScoredExample(
                    new EncodedExample(
                        new RowOrigin("pairs.jsonl", length, length),
                        new int[] {1},
                        new int[length],
                        new int[] {2}),
                    null))
        .toList();
  }
}
