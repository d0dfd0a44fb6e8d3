package org.dpo4j.logprob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;

/** Closes: chosen and rejected that change places between a batch and its losses. */
class PairLogProbsTest {

  private static void assertNumbers(
      PairLogProbs found,
      double[] chosen,
      double[] rejected,
      double[] chosenTokens,
      double[] rejectedTokens) {
    assertThat(Tensors.toDoubles(found.chosen())).containsExactly(chosen);
    assertThat(Tensors.toDoubles(found.rejected())).containsExactly(rejected);
    assertThat(Tensors.toDoubles(found.chosenTokens())).containsExactly(chosenTokens);
    assertThat(Tensors.toDoubles(found.rejectedTokens())).containsExactly(rejectedTokens);
  }

  @Test
  void sequencesAreChosenAndRejectedInTurn() {
    try (TensorScope scope = TensorScope.open()) {
      PairLogProbs policy =
          PairLogProbs.ofSequences(Tensors.doubles(-1, -2, -3, -4), new int[] {5, 6, 7, 8});
      assertNumbers(
          policy,
          new double[] {-1, -3},
          new double[] {-2, -4},
          new double[] {5, 7},
          new double[] {6, 8});
      PairLogProbs reference = PairLogProbs.ofSequences(new double[] {-9, -8, -7, -6}, policy);
      assertNumbers(
          reference,
          new double[] {-9, -7},
          new double[] {-8, -6},
          new double[] {5, 7},
          new double[] {6, 8});
      PairLogProbs sums = PairLogProbs.ofSums(Tensors.doubles(-1, -3), Tensors.doubles(-2, -4));
      assertNumbers(
          sums,
          new double[] {-1, -3},
          new double[] {-2, -4},
          new double[] {1, 1},
          new double[] {1, 1});
    }
  }

  @Test
  void tensorsOfOtherShapesOrTypesAreRefused() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor two = Tensors.doubles(1, 2);
      Tensor three = Tensors.doubles(1, 2, 3);
      Tensor floats = Tensors.floats(1, 2);
      refused(two.view(1, 2), two, two, two, "chosen must have shape [any] but has [1, 2]");
      refused(two, three, two, two, "rejected must have shape [2] but has [3]");
      refused(two, two, three, two, "chosenTokens must have shape [2] but has [3]");
      refused(two, two, two, three, "rejectedTokens must have shape [2] but has [3]");
      refused(Tensors.longs(1, 2), two, two, two, "chosen must be of a floating type");
      refused(two, floats, two, two, "rejected must be of type Double but is Float");
      assertThatThrownBy(() -> PairLogProbs.ofSequences(three, new int[4]))
          .hasMessage("logProbs must have shape [4] but has [3]");
    }
  }

  private static void refused(
      Tensor chosen, Tensor rejected, Tensor chosenTokens, Tensor rejectedTokens, String says) {
    assertThatThrownBy(() -> new PairLogProbs(chosen, rejected, chosenTokens, rejectedTokens))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(says);
  }
}
