package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a KL estimate from other completions than TRL's. */
class MismatchedExamplesTest {

  private final Path folder;

  MismatchedExamplesTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** Example i has the prompt [i] and the completion [10 i, 10 i + 1, ...] of i + 1 ids. */
  private EncodedExamples examples(int count) {
    List<EncodedExample> examples = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int[] ids = new int[i + 1];
      for (int j = 0; j < ids.length; j++) {
        ids[j] = 10 * i + j;
      }
      examples.add(
          new EncodedExample(
              new RowOrigin("f", i + 1, i + 1),
              new int[] {i},
              List.of(
                  new EncodedCompletion(
                      i % 2 == 0 ? CompletionRole.CHOSEN : CompletionRole.REJECTED, ids)),
              RowNumbers.NONE));
    }
    return EncodedExamples.of(examples, folder);
  }

  private static int donor(EncodedExample example) {
    EncodedCompletion other = example.completions().get(1);
    assertThat(other.role()).isEqualTo(CompletionRole.MISMATCHED);
    return other.ids()[0] / 10;
  }

  @Test
  void completionsRotateByOneInBlocksOfTheDataSet() {
    try (EncodedExamples examples = examples(7)) {
      List<EncodedExample> mismatched = examples.mismatched(3, 0);

      assertThat(mismatched)
          .extracting(MismatchedExamplesTest::donor)
          .containsExactly(2, 0, 1, 5, 3, 4, 6);
      assertThat(mismatched)
          .extracting(example -> example.completions().get(0).role())
          .startsWith(CompletionRole.CHOSEN, CompletionRole.REJECTED);
    }
  }

  @Test
  void aSelectionRotatesAmongItself() {
    try (EncodedExamples examples = examples(6)) {
      assertThat(examples.select(new int[] {5, 1, 4}).mismatched(2, 0))
          .extracting(MismatchedExamplesTest::donor)
          .containsExactly(1, 5, 4);
    }
  }

  @Test
  void bothCompletionsAreCutBehindTheirOwnPrompt() {
    try (EncodedExamples examples = examples(4)) {
      EncodedExample first = examples.mismatched(4, 3).get(0);
      EncodedExample last = examples.mismatched(4, 3).get(3);

      assertThat(first.completions().get(0).ids()).containsExactly(0);
      assertThat(first.completions().get(1).ids()).containsExactly(30, 31);
      assertThat(last.completions().get(0).ids()).containsExactly(30, 31);
      assertThat(last.tokens()).as("without the mismatched one").isEqualTo(3);
    }
  }

  @Test
  void rolesAndUnscoredPlacesSurviveTheFile() {
    java.util.BitSet unscored = new java.util.BitSet();
    unscored.set(0, 2);
    unscored.set(40);
    EncodedExample example =
        new EncodedExample(
            new RowOrigin("f", 1, 1),
            new int[] {7, 8},
            List.of(
                new EncodedCompletion(CompletionRole.REJECTED, new int[45], unscored),
                new EncodedCompletion(CompletionRole.MISMATCHED, new int[] {1})),
            RowNumbers.ofWeight(2.5));
    try (EncodedExamples stored = EncodedExamples.of(List.of(example), folder)) {
      EncodedExample read = stored.get(0);

      assertThat(read.weight()).isEqualTo(2.5);
      assertThat(read.promptIds()).containsExactly(7, 8);
      assertThat(read.completions())
          .extracting(EncodedCompletion::role)
          .containsExactly(CompletionRole.REJECTED, CompletionRole.MISMATCHED);
      assertThat(read.completions().get(0).unscored()).isEqualTo(unscored);
      assertThat(read.completions().get(1).unscored()).isNull();
      assertThat(read.scoredTokens()).isEqualTo(45 - 3 + 1);
    }
  }
}
