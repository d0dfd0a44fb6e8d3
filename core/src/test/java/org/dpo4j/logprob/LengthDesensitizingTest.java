package org.dpo4j.logprob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes: token weights of LD-DPO on the wrong tokens, or on those of another pair. */
class LengthDesensitizingTest {
  private static final LengthDesensitizing TAIL = new LengthDesensitizing(0.25);

  /** Completions of 3 and 1, 1 and 2, 2 and 2 tokens behind prompts. */
  private static final FlatSequences PAIRS =
      new FlatSequences.Builder()
          .add(new int[] {1}, new int[3], new int[1])
          .add(new int[] {1, 2}, new int[1], new int[2])
          .add(new int[] {1}, new int[2], new int[2])
          .build();

  @Test
  void tokensBehindTheEndOfTheOtherCompletionCountLess() {
    assertThat(TAIL.of(PAIRS)).containsExactly(1, 0.25, 0.25, 1, 1, 1, 0.25, 1, 1, 1, 1);
    assertThat(new LengthDesensitizing(0).of(PAIRS))
        .containsExactly(1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1);
    assertThat(LengthDesensitizing.NONE.of(PAIRS)).containsOnly(1);
  }

  /** Without a prompt the first token is not scored, of neither. */
  @Test
  void scoredTokensAreCounted() {
    assertThat(TAIL.of(FlatSequences.of(new int[0], new int[4], new int[3])))
        .containsExactly(1, 1, 0.25, 1, 1);
  }

  /** Sequences of two pairs behind one prompt, laid out as 0 2 1 3. */
  @Test
  void theOtherCompletionIsThatOfThePairWhereverItStands() {
    FlatSequences mixed =
        new FlatSequences.Builder()
            .addNumbered(
                new int[] {1},
                new int[] {0, 2, 1, 3},
                new int[2],
                new int[1],
                new int[1],
                new int[3])
            .build();
    assertThat(mixed.sequenceOf()).containsExactly(0, 0, 2, 1, 3, 3, 3);
    assertThat(TAIL.of(mixed)).containsExactly(1, 0.25, 1, 1, 1, 0.25, 0.25);
  }

  @ParameterizedTest
  @ValueSource(doubles = {-0.01, 1.01, Double.NaN, Double.POSITIVE_INFINITY})
  void aWeightIsFromZeroToOne(double alpha) {
    assertThatThrownBy(() -> new LengthDesensitizing(alpha))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("ld_alpha must be in [0, 1] but was " + alpha);
  }

  /** Terms 1, 2, 4, ..., 1024 in the order of the tokens above: each sum names what is in it. */
  @Test
  void sumsAndTheirGradientsAreOfTheTokensOfTheSequence() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor terms = Tensors.doubles(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024);
      CompletionSums weighted = new CompletionSums(PAIRS, TAIL);
      assertThat(Tensors.toDoubles(weighted.sums(terms)))
          .containsExactly(7, 8, 16, 96, 128 + 256, 512 + 1024);
      assertThat(Tensors.toDoubles(weighted.weightedSums(terms)))
          .containsExactly(1 + 1.5, 8, 16, 32 + 16, 128 + 256, 512 + 1024);
      CompletionSums plain = new CompletionSums(PAIRS, LengthDesensitizing.NONE);
      assertThat(Tensors.toDoubles(plain.weightedSums(terms)))
          .containsExactly(7, 8, 16, 96, 128 + 256, 512 + 1024);

      Tensor bySums = Tensors.doubles(1, 2, 3, 4, 5, 6);
      Tensor byWeighted = Tensors.doubles(10, 20, 30, 40, 50, 60);
      assertThat(Tensors.toDoubles(weighted.backward(bySums, byWeighted)))
          .usingElementComparator(relative(1e-14))
          .containsExactly(11, 3.5, 3.5, 22, 33, 44, 14, 55, 55, 66, 66);
      assertThat(Tensors.toDoubles(plain.backward(bySums, byWeighted)))
          .containsExactly(11, 11, 11, 22, 33, 44, 44, 55, 55, 66, 66);
      assertThat(Tensors.toDoubles(byWeighted))
          .as("not changed")
          .containsExactly(10, 20, 30, 40, 50, 60);
    }
  }
}
