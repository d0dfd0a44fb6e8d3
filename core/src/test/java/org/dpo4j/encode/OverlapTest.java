package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;

/** Closes an evaluation that is called held-out and was trained on. */
class OverlapTest {

  @Test
  void pairsThatAreTrainedOnAreCountedAndTheOthersWithTheirPrompt() {
    List<EncodedExample> training =
        List.of(
            pair("t", 1, "a", "b", "c"), pair("t", 2, "d", "e", "f"), pair("t", 3, "", "g", "h"));
    List<EncodedExample> held =
        List.of(
            pair("h", 1, "x", "e", "f"),
            pair("h", 2, "d", "e", "g"), // the prompt of t:2
            pair("h", 3, "d", "e", "f"), // t:2
            pair("h", 4, "", "g", "i"), // no prompt is no shared prompt
            pair("h", 5, "", "g", "h"), // t:3
            pair("h", 6, "d", "e", "f"));
    assertThat(Overlap.of(training, held, -1))
        .isEqualTo(new Overlap(3, 1, new RowOrigin("h", 3, 3), new RowOrigin("t", 2, 2)));
  }

  @Test
  void aPromptAloneNamesItsFirstRow() {
    Overlap overlap =
        Overlap.of(List.of(pair("t", 1, "a", "b", "c")), List.of(pair("h", 1, "a", "c", "b")), -1);
    assertThat(overlap)
        .isEqualTo(new Overlap(0, 1, new RowOrigin("h", 1, 1), new RowOrigin("t", 1, 1)));
  }

  /** 31 x 0 + 31 = 31 x 1 + 0: Java's hash of both prompts is the same, and of both answers. */
  @Test
  void differentIdsWithOneHashAreDifferent() {
    int[] one = {0, 31};
    int[] other = {1, 0};
    List<EncodedExample> training = List.of(ids(1, one, one), ids(2, other, one));
    assertThat(Overlap.of(training, List.of(ids(3, other, other)), -1))
        .isEqualTo(new Overlap(0, 1, new RowOrigin("f", 3, 3), new RowOrigin("f", 2, 2)));
    assertThat(Overlap.of(training.subList(0, 1), List.of(ids(3, other, one)), -1))
        .isEqualTo(new Overlap(0, 0, null, null));
    assertThat(Overlap.of(training, List.of(ids(3, other, one)), -1).examples()).isOne();
  }

  private static EncodedExample ids(int row, int[] prompt, int[] chosen) {
    return new EncodedExample(new RowOrigin("f", row, row), prompt, chosen, new int[] {5});
  }

  @Test
  void aFileIsWhollyInItselfAndNothingIsInAnotherOne() {
    List<EncodedExample> one = new ArrayList<>();
    List<EncodedExample> other = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      one.add(pair("t", i, "p" + i, "w", "l"));
      other.add(pair("h", i, "q" + i, "w", "l"));
    }
    assertThat(Overlap.of(one, one, -1).examples()).isEqualTo(500);
    assertThat(Overlap.of(one, other, -1)).isEqualTo(new Overlap(0, 0, null, null));
  }

  /** Each read is one of the disk: 2 passes over 4,000 and 100 pairs, and a look at each match. */
  @Test
  void pairsWithoutAPromptAreNotComparedWithEachOther() {
    AtomicInteger reads = new AtomicInteger();
    List<EncodedExample> training = counted(4_000, reads);
    List<EncodedExample> held = counted(100, reads);
    assertThat(Overlap.of(training, held, 7).prompts()).isZero();
    assertThat(reads.get()).isLessThan(3 * (4_000 + 100));
  }

  /** Pairs with the prompt of BOS alone and answers of their own. */
  private static List<EncodedExample> counted(int size, AtomicInteger reads) {
    return new AbstractList<>() {
      @Override
      public EncodedExample get(int index) {
        reads.incrementAndGet();
        return new EncodedExample(
            new RowOrigin("f", index, index),
            index % 2 == 0 ? new int[] {7} : new int[0],
            new int[] {index, size},
            new int[] {1});
      }

      @Override
      public int size() {
        return size;
      }
    };
  }

  private static EncodedExample pair(String file, int line, String prompt, String w, String l) {
    return new EncodedExample(
        new RowOrigin(file, line, line),
        prompt.chars().toArray(),
        w.chars().toArray(),
        l.chars().toArray());
  }
}
