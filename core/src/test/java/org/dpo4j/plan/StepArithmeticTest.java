package org.dpo4j.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.ModelShape;
import org.junit.jupiter.api.Test;

/** Closes the defect that a share of the machine's peak is claimed of arithmetic nobody needs. */
class StepArithmeticTest {

  /** Two layers, the second with a window of 2; one matrix of 4 x 6 in each; vocabulary 10. */
  private static final ModelShape SHAPE =
      new ModelShape(
          10,
          4,
          2,
          1,
          2,
          8,
          new ModelShape.Switches(true, false, false, false, false, false),
          true,
          List.of(AttentionLayer.ALL, 2),
          "model.layers",
          "model.embed_tokens",
          "lm_head",
          Collections.nCopies(2, List.of(new ModelShape.LinearShape("q", 4, 6))),
          Set.of(),
          null,
          List.of(),
          100);

  /** A prompt of 3 with completions of 2 and 3: fed are 3 + 1 + 2 tokens, scored 5. */
  private static final TokenLoad LOAD =
      TokenLoad.of(
          List.of(
              new EncodedExample(
                  new RowOrigin("pairs.jsonl", 1, 1),
                  new int[] {1, 2, 3},
                  new int[] {4, 5},
                  new int[] {6, 7, 8})),
          SHAPE);

  @Test
  void aSharedPromptIsFedOnceAndTheLastTokenOfACompletionNever() {
    assertThat(LOAD.examples()).isEqualTo(1);
    assertThat(LOAD.tokens()).isEqualTo(3 + 1 + 2);
    assertThat(LOAD.predictions()).isEqualTo(2 + 3);
  }

  /**
   * In the second block of two experts of five of width 3, a shared one of width 7 with its gate,
   * and the router.
   */
  @Test
  void ofExpertsThoseCountThatATokenTakes() {
    ModelShape sparse =
        new ModelShape(
            SHAPE.vocabSize(),
            SHAPE.hiddenSize(),
            SHAPE.heads(),
            SHAPE.keyValueHeads(),
            SHAPE.headDim(),
            SHAPE.intermediateSize(),
            SHAPE.switches(),
            SHAPE.tiedHead(),
            SHAPE.windows(),
            SHAPE.blocks(),
            SHAPE.table(),
            SHAPE.head(),
            SHAPE.linears(),
            Set.of(1),
            new ModelShape.Experts(5, 2, 3, false, 7, false),
            SHAPE.parameterShapes(),
            SHAPE.parameters());
    long used = 3 * 4 * (2 * 3 + 7) + 4 * 5 + 4;
    assertThat(sparse.usedBlockWeights()).isEqualTo(SHAPE.usedBlockWeights() + used);
    assertThat(new StepArithmetic(sparse, Optional.empty()).forward(LOAD))
        .isEqualTo(
            new StepArithmetic(SHAPE, Optional.empty()).forward(LOAD)
                + 2.0 * used * LOAD.predicting());
    assertThat(sparse.blockWeights()).isEqualTo(2 * 4 * 6 + 3 * 4 * (5 * 3 + 7));
    assertThat(sparse.largestMatrix()).isEqualTo(4 * 7);
  }

  /** The same prompt with a mismatched completion of 4: fed are 3 + 3 tokens, scored 4. */
  @Test
  void mismatchedCompletionsAreALoadOfTheirOwn() {
    EncodedExample example =
        new EncodedExample(
            new RowOrigin("rows.jsonl", 1, 1),
            new int[] {1, 2, 3},
            List.of(
                new EncodedCompletion(CompletionRole.CHOSEN, new int[] {4, 5}),
                new EncodedCompletion(CompletionRole.MISMATCHED, new int[] {6, 7, 8, 9})),
            RowNumbers.NONE);
    assertThat(TokenLoad.of(List.of(example), SHAPE).tokens()).isEqualTo(3 + 1);
    TokenLoad mismatched = TokenLoad.ofMismatched(List.of(example), SHAPE);
    assertThat(mismatched.tokens()).isEqualTo(3 + 3);
    assertThat(mismatched.predictions()).isEqualTo(4);
  }

  @Test
  void aQuerySeesItselfAndWhatComesBeforeItInItsOwnSequenceAndWindow() {
    // The prompt sees 1 + 2 + 3, the chosen token 4, the rejected ones 4 and 5; or 2 at most.
    assertThat(LOAD.keysSeen())
        .containsEntry(AttentionLayer.ALL, 6L + 4 + 9)
        .containsEntry(2, 1L + 2 + 2 + 2 + 2 + 2);
    // In the last layer those of the prompt's last token and of the completions' matter.
    assertThat(LOAD.predicting()).isEqualTo(4);
    assertThat(LOAD.keysSeen(SHAPE)).isEqualTo(19 + 8);
  }

  @Test
  void trainingAModelTakesThreeTimesItsForwardPass() {
    StepArithmetic arithmetic = new StepArithmetic(SHAPE, Optional.empty());

    // The first block 24 weights x 6 tokens x 2, the last one 16 of keys and values x 6 x 2 and 8
    // others x 4 x 2; head 40 weights x 5 x 2; attention 4 x 4 x 27.
    double forward = 288 + 192 + 64 + 400 + 432;
    assertThat(arithmetic.forward(LOAD)).isEqualTo(forward);
    assertThat(arithmetic.training(LOAD)).isEqualTo(3 * forward);
  }

  @Test
  void aFrozenWeightNeedsNoGradientOfItsOwn() {
    // Rank 1 at both layers: (4 + 6) numbers each.
    AdapterShape adapter = new AdapterShape(20, 20, 2, 0, true);
    StepArithmetic arithmetic = new StepArithmetic(SHAPE, Optional.of(adapter));

    double factors = 2 * 20 * 6;
    assertThat(arithmetic.forward(LOAD)).isEqualTo(288 + 192 + 64 + 400 + 432 + factors);
    assertThat(arithmetic.training(LOAD))
        .isEqualTo(2 * (288 + 192 + 64 + 400) + 3 * (432 + factors));
  }
}
