package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: packs of other rows than TRL's, tokens that get lost, prompts that are learned. */
class PackedExamplesTest {

  private final Path folder;

  PackedExamplesTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** Demonstrations with a prompt of one id, the row's number, and ids of these lengths in all. */
  private EncodedExamples demonstrations(int... lengths) {
    List<EncodedExample> examples = new ArrayList<>();
    for (int i = 0; i < lengths.length; i++) {
      int row = i;
      int[] completion = IntStream.range(1, lengths[i]).map(at -> 100 * row + at).toArray();
      examples.add(
          new EncodedExample(
              new RowOrigin("f", i + 1, i + 1),
              new int[] {100 * i},
              List.of(new EncodedCompletion(CompletionRole.CHOSEN, completion)),
              RowNumbers.NONE));
    }
    return EncodedExamples.of(examples, folder);
  }

  private static List<List<Integer>> rows(PackedExamples packed) {
    return packed.packs().stream()
        .map(
            pack ->
                IntStream.of(pack)
                    .mapToObj(part -> packed.examples().get(part).origin().row())
                    .toList())
        .toList();
  }

  @Test
  void theLongestRowComesFirstAndGoesIntoTheFullestPackThatHasRoom() {
    PackedExamples packed =
        PackedExamples.of(demonstrations(3, 6, 7, 2, 4, 3), PackingStrategy.BFD, 10, folder);

    // 7; 6; 4 fits the 6 exactly; 3 fits the 7 exactly; the next 3 and the 2 open a third pack.
    assertThat(rows(packed)).containsExactly(List.of(3, 1), List.of(2, 5), List.of(6, 4));
  }

  @Test
  void aLongerRowIsCutOrBecomesSeveral() {
    PackedExamples cut = PackedExamples.of(demonstrations(25, 4), PackingStrategy.BFD, 10, folder);
    PackedExamples split =
        PackedExamples.of(demonstrations(25, 4), PackingStrategy.BFD_SPLIT, 10, folder);

    assertThat(rows(cut)).containsExactly(List.of(1), List.of(2));
    assertThat(cut.examples().get(0).tokens()).isEqualTo(10);
    assertThat(rows(split)).containsExactly(List.of(1), List.of(1), List.of(1, 2));
    assertThat(split.examples()).extracting(EncodedExample::tokens).containsExactly(10, 10, 5, 4);
    assertThat(split.examples().get(1).completions().get(0).ids()[0]).isEqualTo(10);
    PackedExamples even =
        PackedExamples.of(demonstrations(20), PackingStrategy.BFD_SPLIT, 10, folder);
    assertThat(even.examples()).extracting(EncodedExample::tokens).containsExactly(10, 10);
  }

  @Test
  void aStreamIsCutWhereverALengthIsFull() {
    PackedExamples packed =
        PackedExamples.of(demonstrations(7, 7, 7), PackingStrategy.WRAPPED, 10, folder);

    assertThat(packed.examples()).extracting(EncodedExample::tokens).containsExactly(10, 10, 1);
    assertThat(packed.packs()).hasSize(3);
    EncodedCompletion second = packed.examples().get(1).completions().get(0);
    assertThat(second.ids()).startsWith(103, 104, 105, 106, 200, 201);
    assertThat(second.unscored()).as("the prompt of the third row").isNotNull();
    assertThat(Objects.requireNonNull(second.unscored()).stream()).containsExactly(4);
  }

  @Test
  void promptsAreNotLearned() {
    PackedExamples packed = PackedExamples.of(demonstrations(5), PackingStrategy.BFD, 10, folder);

    assertThat(packed.examples().get(0).scoredTokens()).isEqualTo(4);
  }

  /** Demonstrations of one prompt id and two completion ids, of which the last is not scored. */
  private EncodedExamples halfScored(int count) {
    List<EncodedExample> examples = new ArrayList<>();
    for (int i = 1; i <= count; i++) {
      BitSet unscored = new BitSet();
      unscored.set(1);
      examples.add(
          new EncodedExample(
              new RowOrigin("f", i, i),
              new int[] {i},
              List.of(
                  new EncodedCompletion(CompletionRole.CHOSEN, new int[] {-i, -i - 1}, unscored)),
              RowNumbers.NONE));
    }
    return EncodedExamples.of(examples, folder);
  }

  private static List<List<Integer>> unscored(PackedExamples packed) {
    return packed.examples().stream()
        .map(
            example ->
                Objects.requireNonNull(example.completions().get(0).unscored()).stream()
                    .boxed()
                    .toList())
        .toList();
  }

  @Test
  void whatIsNotScoredStaysSoInEveryPart() {
    assertThat(unscored(PackedExamples.of(halfScored(2), PackingStrategy.BFD, 10, folder)))
        .containsExactly(List.of(0, 2), List.of(0, 2));
    assertThat(unscored(PackedExamples.of(halfScored(1), PackingStrategy.BFD_SPLIT, 2, folder)))
        .containsExactly(List.of(0), List.of(0));
    // p c u p | c u p c | u
    assertThat(unscored(PackedExamples.of(halfScored(3), PackingStrategy.WRAPPED, 4, folder)))
        .containsExactly(List.of(0, 2, 3), List.of(1, 2), List.of(0));
  }

  /** Packs that fit equally well are filled in the order in which they were opened. */
  @Test
  void ofPacksWithTheSameRoomTheOldestComesFirst() {
    PackedExamples packed =
        PackedExamples.of(demonstrations(6, 6, 6, 2, 2, 2), PackingStrategy.BFD, 8, folder);

    assertThat(rows(packed)).containsExactly(List.of(1, 4), List.of(2, 5), List.of(3, 6));
  }

  /** As TRL, which packs a data set in blocks of 1,000 rows. */
  @Test
  void noPackHasRowsOfTwoBlocks() {
    for (PackingStrategy strategy : PackingStrategy.values()) {
      PackedExamples packed = PackedExamples.of(halfScored(1001), strategy, 600, folder);

      assertThat(packed.packs()).as("of %s", strategy).hasSize(6);
      assertThat(packed.examples().stream().mapToInt(EncodedExample::tokens).sum())
          .isEqualTo(3 * 1001);
      int[] last = packed.packs().get(5);
      assertThat(last).hasSize(1);
      assertThat(packed.examples().get(last[0]).origin().row()).isEqualTo(1001);
      assertThat(PackedExamples.of(halfScored(1000), strategy, 600, folder).packs()).hasSize(5);
    }
  }
}
