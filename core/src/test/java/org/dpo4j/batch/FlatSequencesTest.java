package org.dpo4j.batch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Closes: a token predicted from the wrong place, or a layout that reaches over its borders. */
class FlatSequencesTest {

  /**
   * Prompt 7 8, completions 1 2 3 and 4. Fed: 7 8 | 1 2 | nothing, since no last token is fed. 1
   * and 4 are predicted from 8 (index 1), 2 from 1 (index 2), 3 from 2 (index 3).
   */
  @Test
  void aPromptLiesThereOnceAndLastTokensAreNotFed() {
    FlatSequences flat = FlatSequences.of(ids(7, 8), ids(1, 2, 3), ids(4));
    assertThat(flat.ids()).containsExactly(7, 8, 1, 2);
    assertThat(flat.positions()).containsExactly(0, 1, 2, 3);
    assertThat(flat.predictors()).containsExactly(1, 2, 3, 1);
    assertThat(flat.targets()).containsExactly(1, 2, 3, 4);
    assertThat(flat.sequenceOf()).containsExactly(0, 0, 0, 1);
    assertThat(flat.lengths()).containsExactly(3, 1);
    assertThat(flat.groups()).containsExactly(new FlatSequences.Group(0, 2, List.of(2, 0)));
  }

  @Test
  void everyCompletionTakesUpItsPositionsAfterThePrompt() {
    FlatSequences flat = FlatSequences.of(ids(9), ids(1, 2, 3), ids(4, 5, 6, 7));
    assertThat(flat.ids()).containsExactly(9, 1, 2, 4, 5, 6);
    assertThat(flat.positions()).containsExactly(0, 1, 2, 1, 2, 3);
    assertThat(flat.predictors()).containsExactly(0, 1, 2, 0, 3, 4, 5);
  }

  @Test
  void laterGroupsAreShiftedByTheTokensBeforeThem() {
    FlatSequences flat =
        new FlatSequences.Builder()
            .add(ids(7, 8), ids(1, 2))
            .add(ids(9), ids(3, 4), ids(5))
            .build();
    assertThat(flat.ids()).containsExactly(7, 8, 1, 9, 3);
    assertThat(flat.positions()).containsExactly(0, 1, 2, 0, 1);
    assertThat(flat.predictors()).containsExactly(1, 2, 3, 4, 3);
    assertThat(flat.targets()).containsExactly(1, 2, 3, 4, 5);
    assertThat(flat.sequenceOf()).containsExactly(0, 0, 1, 1, 2);
    assertThat(flat.groups())
        .containsExactly(
            new FlatSequences.Group(0, 2, List.of(1)),
            new FlatSequences.Group(3, 1, List.of(1, 0)));
  }

  @Test
  void afterAnEmptyPromptTheFirstTokenIsNotScored() {
    FlatSequences flat = FlatSequences.of(ids(), ids(1, 2, 3));
    assertThat(flat.ids()).containsExactly(1, 2);
    assertThat(flat.predictors()).containsExactly(0, 1);
    assertThat(flat.targets()).containsExactly(2, 3);
    assertThat(flat.lengths()).containsExactly(3);
  }

  @Test
  void anEmptyCompletionIsASequenceWithoutTokens() {
    FlatSequences flat = FlatSequences.of(ids(7), ids(), ids(1));
    assertThat(flat.sequences()).isEqualTo(2);
    assertThat(flat.lengths()).containsExactly(0, 1);
    assertThat(flat.sequenceOf()).containsExactly(1);
  }

  @Test
  void sequencesCanBeNumberedInAnotherOrderButWithoutGaps() {
    FlatSequences flat =
        new FlatSequences.Builder()
            .addNumbered(ids(7), ids(2, 0), ids(1, 2), ids(3))
            .addNumbered(ids(8), ids(1), ids(4, 5, 6))
            .build();
    assertThat(flat.sequenceOf()).containsExactly(2, 2, 0, 1, 1, 1);
    assertThat(flat.lengths()).containsExactly(1, 3, 2);

    FlatSequences.Builder gap = new FlatSequences.Builder().addNumbered(ids(7), ids(1), ids(1));
    assertThatThrownBy(gap::build).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> gap.addNumbered(ids(7), ids(1), ids(1)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aSequenceMayHaveAnyNumberOfTokens() {
    int[] prompt = IntStream.range(0, 1000).toArray();
    FlatSequences flat = FlatSequences.of(prompt, ids(1), ids(2));
    assertThat(flat.ids()).isEqualTo(prompt);
    assertThat(flat.positions()).isEqualTo(prompt);
    assertThat(flat.tokens()).isEqualTo(1000);
  }

  private static int[] ids(int... ids) {
    return ids;
  }
}
