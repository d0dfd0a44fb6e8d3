package org.dpo4j.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;

/**
 * Closes: a figure that is another one than its name says, an accuracy that length alone earns, and
 * pairs that are in no slice or in two.
 */
class PairFiguresTest {

  private static final RowOrigin ROW = new RowOrigin("pairs.jsonl", 1, 1);

  /** Two pairs whose figures can be worked out by hand. */
  @Test
  void everyFigureIsThatOfItsName() {
    PairFigures figures =
        PairFigures.of(
            List.of(
                new PairScore(ROW, 5, 2, 4, -2, -8, -3, -6), // margin 6, of the reference 3
                new PairScore(ROW, 5, 4, 2, -10, -4, -8, -5)), // -6, -3
            0.5);
    assertThat(figures.byLogp()).isEqualTo(new Proportion(1, 2));
    assertThat(figures.perplexityChosen()).isCloseTo(Math.exp(12.0 / 6), within(1e-12));
    assertThat(figures.perplexityRejected()).isCloseTo(Math.exp(12.0 / 6), within(1e-12));
    assertThat(figures.chosenTokens()).isEqualTo(3);
    PairFigures.ToReference to = figures.toReference().orElseThrow();
    assertThat(to.byReward()).isEqualTo(new Proportion(1, 2));
    assertThat(to.byLogp()).isEqualTo(new Proportion(1, 2));
    assertThat(to.chosenReward()).isEqualTo(0.5 * (1 - 2) / 2);
    assertThat(to.rejectedReward()).isEqualTo(0.5 * (-2 + 1) / 2);
    assertThat(to.margin()).isZero();
    assertThat(to.chosenFell()).isEqualTo(new Proportion(1, 2));
    assertThat(to.perplexityChosen()).isCloseTo(Math.exp(11.0 / 6), within(1e-12));
    assertThat(to.byRewardControlled().longer()).isEqualTo(new Proportion(0, 1));
    assertThat(to.byRewardControlled().shorter()).isEqualTo(new Proportion(1, 1));
    Calibration calibration = to.calibration();
    double sure = 1 / (1 + Math.exp(-1.5));
    assertThat(calibration.bins()).hasSize(1);
    assertThat(calibration.bins().get(0).confidence()).isCloseTo(sure, within(1e-12));
    assertThat(calibration.error()).isCloseTo(sure - 0.5, within(1e-12));
    assertThat(calibration.overconfidence()).isCloseTo(sure - 0.5, within(1e-12));
    assertThat(calibration.logLoss())
        .isCloseTo((-Math.log(sure) - Math.log(1 - sure)) / 2, within(1e-12));
  }

  @Test
  void withoutAReferenceThereAreNoRewards() {
    PairFigures figures =
        PairFigures.of(List.of(new PairScore(ROW, 5, 2, 4, -2, -8, Double.NaN, Double.NaN)), 0.1);
    assertThat(figures.toReference()).isEmpty();
    assertThat(figures.accuracy()).isEqualTo(new Proportion(1, 1));
  }

  /** Rounding alone is no preference. */
  @Test
  void aModelThatIsItsReferenceIsRightOnNoPair() {
    PairFigures figures =
        PairFigures.of(List.of(new PairScore(ROW, 5, 2, 4, -200.00001, -300, -200, -300)), 0.1);
    assertThat(figures.accuracy()).isEqualTo(new Proportion(0, 1));
  }

  /** The chosen completion is longer in most pairs, and the model follows length. */
  @Test
  void lengthAloneEarnsOneHalfWhenItIsControlled() {
    Random random = new Random(3);
    List<PairScore> pairs = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      int chosen = 1 + random.nextInt(40);
      int rejected = 1 + random.nextInt(20);
      pairs.add(new PairScore(ROW, 5, chosen, rejected, chosen, rejected, 0, 0));
    }
    PairFigures.ToReference to = PairFigures.of(pairs, 0.1).toReference().orElseThrow();
    assertThat(to.byReward().share()).isGreaterThan(0.7);
    assertThat(to.byRewardControlled().share()).isEqualTo(0.5);
    assertThat(to.byRewardControlled().low()).isLessThan(0.5);
    assertThat(to.byRewardControlled().high()).isGreaterThan(0.5);
    assertThat(to.lengthCorrelation()).isCloseTo(1, within(1e-9));
  }

  /** Confidences are drawn, and the answer is right with that probability. */
  @Test
  void aModelThatIsRightAsOftenAsItIsSureIsCalibrated() {
    Random random = new Random(4);
    List<PairScore> honest = new ArrayList<>();
    List<PairScore> boasting = new ArrayList<>();
    for (int i = 0; i < 20_000; i++) {
      double margin = 3 * random.nextDouble();
      boolean right = random.nextDouble() < 1 / (1 + Math.exp(-margin));
      honest.add(new PairScore(ROW, 1, 1, 1, right ? margin : -margin, 0, 0, 0));
      boasting.add(new PairScore(ROW, 1, 1, 1, right ? 4 * margin : -4 * margin, 0, 0, 0));
    }
    assertThat(calibration(honest).error()).isLessThan(0.02);
    assertThat(calibration(boasting).error()).isGreaterThan(0.1);
    assertThat(calibration(boasting).overconfidence()).isGreaterThan(0.1);
    assertThat(calibration(boasting).logLoss()).isGreaterThan(calibration(honest).logLoss());
  }

  private static Calibration calibration(List<PairScore> pairs) {
    return PairFigures.of(pairs, 1).toReference().orElseThrow().calibration();
  }

  @Test
  void everyPairIsInOneSliceOfEachKind() {
    Random random = new Random(5);
    for (int size : new int[] {1, 2, 3, 5, 40, 101}) {
      List<PairScore> pairs =
          IntStream.range(0, size)
              .mapToObj(
                  i ->
                      new PairScore(
                          ROW, 1, 1 + random.nextInt(6), 1 + random.nextInt(6), 0, 0, 0, 0))
              .toList();
      List<Slice> slices = Slice.byLength(pairs);
      for (String by : List.of("completion tokens", "longer completion")) {
        List<Integer> members =
            slices.stream()
                .filter(slice -> slice.by().equals(by))
                .flatMap(slice -> slice.members().stream())
                .sorted()
                .toList();
        assertThat(members).isEqualTo(IntStream.range(0, size).boxed().toList());
      }
      List<Integer> totals =
          slices.stream()
              .filter(slice -> slice.by().equals("completion tokens"))
              .map(slice -> slice.of(pairs).stream().mapToInt(PairFiguresTest::tokens).max())
              .map(java.util.OptionalInt::getAsInt)
              .toList();
      assertThat(totals).isSortedAccordingTo(Comparator.naturalOrder()).doesNotHaveDuplicates();
    }
  }

  private static int tokens(PairScore pair) {
    return pair.chosenTokens() + pair.rejectedTokens();
  }

  @Test
  void aColumnOfNamesOfRowsIsPutTogether() {
    List<Slice> slices =
        Slice.by("id", IntStream.range(0, 100).mapToObj(i -> "row " + (i / 2)).toList());
    assertThat(slices).hasSize(21);
    assertThat(slices.get(20).value()).isEqualTo("other");
    assertThat(slices.stream().mapToInt(slice -> slice.members().size()).sum()).isEqualTo(100);
  }

  @Test
  void promptsAreGroupedByTheirWords() {
    PromptClusters clusters = new PromptClusters();
    String[] topics = {"python function returns list", "capital city country europe"};
    Random random = new Random(6);
    for (int i = 0; i < 60; i++) {
      List<String> words = new ArrayList<>(List.of(topics[i % 2].split(" ")));
      words.remove(random.nextInt(words.size()));
      clusters.add("<|user|> please tell " + String.join(" ", words));
    }
    List<String> names = clusters.names();
    assertThat(names).hasSize(60);
    assertThat(names.stream().distinct()).hasSize(2);
    assertThat(IntStream.range(0, 60)).allMatch(i -> names.get(i).equals(names.get(i % 2)));
    assertThat(names.get(0)).containsAnyOf("python", "function", "returns", "list");
    assertThat(names.get(1)).doesNotContain("please").containsAnyOf("capital", "city", "europe");
  }

  @Test
  void promptsThatAreAllAlikeOrFewHaveNoGroupsOrOne() {
    PromptClusters few = new PromptClusters();
    PromptClusters alike = new PromptClusters();
    PromptClusters empty = new PromptClusters();
    for (int i = 0; i < 100; i++) {
      alike.add("the same prompt");
      empty.add("");
    }
    few.add("a prompt");
    assertThat(few.names()).isEmpty();
    assertThat(alike.names().stream().distinct()).hasSize(1);
    assertThat(empty.names().stream().distinct()).hasSize(1);
  }
}
