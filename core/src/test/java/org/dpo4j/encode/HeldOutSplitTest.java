package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.dpo4j.ExampleKind;
import org.dpo4j.UsageException;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;

/** Closes a split that loses pairs, changes between runs, or evaluates on prompts trained on. */
class HeldOutSplitTest {

  @Test
  void holdsOutTheShareRoundedUpAndLosesNothing() {
    ExampleDataset data = data(25, i -> i);
    HeldOutSplit.Split sides = new HeldOutSplit(0.1, 42, -1).of(data);
    assertThat(sides.held().examples()).hasSize(3); // 2.5 rounded up
    assertThat(sides.train().examples()).hasSize(22);
    assertThat(sides.train().unused()).isEqualTo(Map.of("held out by eval_split", 3));
    List<Integer> all = new ArrayList<>(rows(sides.train()));
    all.addAll(rows(sides.held()));
    assertThat(all).containsExactlyInAnyOrderElementsOf(rows(data));
    assertThat(sides.train().examples()).extracting(pair -> pair.origin().row()).isSorted();
    assertThat(new HeldOutSplit(7, 42, -1).of(data).held().examples()).hasSize(7);
  }

  /** 1 is one pair, not all of them; 0.5 of 3 pairs is 2. */
  @Test
  void aShareIsBelowOneAndANumberFromOne() {
    assertThat(new HeldOutSplit(1, 42, -1).of(data(25, i -> i)).held().examples()).hasSize(1);
    assertThat(new HeldOutSplit(0.99, 42, -1).of(data(200, i -> i)).held().examples()).hasSize(198);
    assertThat(new HeldOutSplit(0.5, 42, -1).of(data(3, i -> i)).held().examples()).hasSize(2);
    assertThatThrownBy(() -> new HeldOutSplit(1, 42, -1).of(data(1, i -> i)))
        .hasMessageContaining("1 of 1 pairs with 1 different prompts holds out 1");
  }

  @Test
  void oneSeedGivesOneSplitAndAnotherAnother() {
    ExampleDataset data = data(200, i -> i);
    assertThat(rows(new HeldOutSplit(0.2, 1, -1).of(data)))
        .isEqualTo(rows(new HeldOutSplit(0.2, 1, -1).of(data)))
        .isNotEqualTo(rows(new HeldOutSplit(0.2, 2, -1).of(data)));
  }

  @Test
  void pairsOfOnePromptOrOneRowStayTogether() {
    Random random = new Random(5);
    for (int round = 0; round < 50; round++) {
      List<EncodedExample> pairs = new ArrayList<>();
      for (int i = 0; i < 60; i++) {
        // Three pairs a row; a prompt may come in several rows.
        pairs.add(pair(i / 3 + 1, 1 + random.nextInt(300)));
      }
      HeldOutSplit.Split sides = new HeldOutSplit(0.4, round, -1).of(dataset(pairs));
      assertThat(sides.held().examples().size()).isBetween(1, 24);
      assertThat(keys(sides.train())).doesNotContainAnyElementsOf(keys(sides.held()));
    }
  }

  /** Written down when all pairs were held in memory: the same seed holds out the same pairs. */
  @Test
  void theSplitOfASeedStaysWhatItWas() {
    List<EncodedExample> pairs = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      pairs.add(pair(i / 2 + 1, i < 12 ? i % 4 : i * i * 7));
    }
    HeldOutSplit.Split sides = new HeldOutSplit(0.3, 7, -1).of(dataset(pairs));
    assertThat(rows(sides.held()))
        .containsExactly(8, 8, 10, 10, 14, 14, 18, 18, 20, 20, 22, 22, 24, 24, 25, 25, 27, 27);
  }

  @Test
  void emptyPromptsTieNothing() {
    assertThat(new HeldOutSplit(0.5, 3, -1).of(data(10, i -> 0)).held().examples()).hasSize(5);
  }

  /** 31 x 0 + 31 = 31 x 1 + 0: Java's hash of both prompts is the same. */
  @Test
  void differentPromptsWithOneHashTieNothing() {
    List<EncodedExample> pairs = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      int[] prompt = {i, 31 * (10 - i)};
      pairs.add(
          new EncodedExample(
              new RowOrigin("f", i + 1, i + 1), prompt, new int[] {1}, new int[] {2}));
    }
    assertThat(new HeldOutSplit(0.5, 3, -1).of(dataset(pairs)).held().examples()).hasSize(5);
  }

  /** "Aa" and "BB" have one hash in Java; a tie of all four pairs would leave none to hold out. */
  @Test
  void rowsWithOneHashAreSeveralRows() {
    List<EncodedExample> pairs = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      RowOrigin origin = new RowOrigin(i < 2 ? "Aa" : "BB", 1, 1, i % 2 + 1);
      pairs.add(new EncodedExample(origin, new int[] {i}, new int[] {1}, new int[] {2}));
    }
    HeldOutSplit.Split sides = new HeldOutSplit(0.5, 3, -1).of(dataset(pairs));
    assertThat(sides.held().examples()).extracting(pair -> pair.origin().file()).hasSize(2);
    assertThat(rows(sides.train())).hasSize(2);
  }

  @Test
  void equalPairsWithoutAPromptStayOnOneSide() {
    List<EncodedExample> pairs = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      pairs.add(
          new EncodedExample(
              new RowOrigin("f", i + 1, i + 1), new int[0], new int[] {i / 2}, new int[] {99}));
    }
    HeldOutSplit.Split sides = new HeldOutSplit(0.5, 1, -1).of(dataset(pairs));
    assertThat(sides.held().examples()).hasSize(10);
    assertThat(Overlap.of(sides.train().examples(), sides.held().examples(), -1).examples())
        .isZero();
  }

  @Test
  void aSideWithoutPairsIsRefusedWithTheNumbers() {
    assertThatThrownBy(() -> new HeldOutSplit(0.5, 3, -1).of(data(10, i -> 1)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("0.5 of 10 pairs with 1 different prompts holds out 0");
    assertThatThrownBy(() -> new HeldOutSplit(10, 3, -1).of(data(10, i -> i)))
        .hasMessageContaining("10 of 10 pairs with 10 different prompts holds out 10");
  }

  /** By hand: shares 0.75 and 0.25 of 100 and 10 pairs; 10 / 0.25 = 40 in all, so 30 and 10. */
  @Test
  void aMixtureIsTheLargestWithoutRepetitions() {
    assertThat(Mixture.take(List.of(100, 10), List.of(3.0, 1.0))).containsExactly(30, 10);
    assertThat(Mixture.take(List.of(7, 7, 7), List.of(1.0, 1.0, 1.0))).containsExactly(7, 7, 7);
    // 5 / (2/3) = 7.5 in all; 2.5 of the second, which Python rounds to 2.
    assertThat(Mixture.take(List.of(5, 9), List.of(2.0, 1.0))).containsExactly(5, 2);
    assertThatThrownBy(() -> Mixture.take(List.of(5, 9), List.of(200.0, 2.0)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(
            "of entry 2, with 9 usable pairs and a share of 0.99 % of 5 pairs, none is left");
  }

  /** Five files of one row with two pairs each; 0.4 of 10 pairs are 4, that is two rows. */
  @Test
  void rowsOfSeveralFilesWithOneNumberAreSeveralRows() {
    List<EncodedExample> pairs = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      RowOrigin origin = new RowOrigin("f" + i % 5, 0, 1, i / 5);
      pairs.add(new EncodedExample(origin, new int[] {i}, new int[] {1}, new int[] {2}));
    }
    HeldOutSplit.Split sides = new HeldOutSplit(0.4, 1, -1).of(dataset(pairs));
    assertThat(sides.held().examples()).hasSize(4);
    assertThat(sides.held().examples())
        .extracting(pair -> pair.origin().file())
        .doesNotContainAnyElementsOf(
            sides.train().examples().stream().map(pair -> pair.origin().file()).toList());
  }

  private static Set<String> keys(ExampleDataset data) {
    Set<String> keys = new HashSet<>();
    for (EncodedExample pair : data.examples()) {
      keys.add("row " + pair.origin().row());
      keys.add("prompt " + pair.promptIds()[0]);
    }
    return keys;
  }

  private static List<Integer> rows(HeldOutSplit.Split sides) {
    return rows(sides.held());
  }

  private static List<Integer> rows(ExampleDataset data) {
    return data.examples().stream().map(pair -> pair.origin().row()).toList();
  }

  private static ExampleDataset data(int pairs, java.util.function.IntUnaryOperator prompt) {
    List<EncodedExample> all = new ArrayList<>();
    for (int i = 1; i <= pairs; i++) {
      all.add(pair(i, prompt.applyAsInt(i)));
    }
    return dataset(all);
  }

  private static ExampleDataset dataset(List<EncodedExample> pairs) {
    EncodedExamples stored = EncodedExamples.of(pairs, EncodingResources.ofMachine().folder());
    return new ExampleDataset(stored, new ExampleDataset.ReadSummary(ExampleKind.PAIRS), Map.of());
  }

  /** Prompt 0 is no prompt; no two rows have the same answers. */
  private static EncodedExample pair(int row, int prompt) {
    int[] ids = prompt == 0 ? new int[0] : new int[] {prompt};
    return new EncodedExample(new RowOrigin("f", row, row), ids, new int[] {row}, new int[] {0});
  }

  /** Before a text without characters some tokenizers put the beginning of a sequence. */
  @Test
  void thePromptOfABosAloneTiesNothing() {
    int bos = 7;
    assertThat(new HeldOutSplit(0.5, 3, bos).of(data(10, i -> bos)).held().examples()).hasSize(5);
    assertThatThrownBy(() -> new HeldOutSplit(0.5, 3, -1).of(data(10, i -> bos)))
        .hasMessageContaining("1 different prompts");
  }
}
