package org.dpo4j.logprob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.BigramModel;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.NaiveAttention;
import org.dpo4j.model.RandomParameters;
import org.dpo4j.model.SmallModel;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Closes: prompt tokens that count, completion tokens that do not, and contexts that overflow in
 * silence. Everything is in double precision.
 */
class SequenceLogProbsTest {

  private static final int CONTEXT = SmallModel.POSITIONS; // 32

  @ParameterizedTest
  @EnumSource
  void isTheSumOfLogSoftmaxOverCompletionTokens(SmallModel kind) {
    int[] prompt = ids(1, 6);
    int[] completion = ids(2, 5);
    try (CausalLm model = kind.create(ElementType.F64, 1)) {
      assertThat(logProb(model, prompt, completion))
          .usingComparator(relative(1e-10))
          .isEqualTo(naive(model, prompt, completion));
    }
  }

  @ParameterizedTest
  @EnumSource
  void anEmptyCompletionHasLogProbabilityZero(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F64, 1)) {
      assertThat(logProb(model, ids(1, 6), new int[0])).isZero();
      assertThat(logProb(model, ids(1, 100), new int[0])).isZero();
      assertThat(logProb(model, new int[0], new int[0])).isZero();
    }
  }

  /** Of a context of 32 a completion of 12 leaves 20 for the prompt, one of 32 the last token. */
  @ParameterizedTest
  @CsvSource({"40, 12, 20", "20, 12, 20", "19, 12, 19", "5, 31, 1", "5, 32, 1", "1, 32, 1"})
  void aPromptThatIsTooLongLosesItsOldestTokens(int promptTokens, int completionTokens, int kept) {
    int[] prompt = ids(1, promptTokens);
    int[] completion = ids(2, completionTokens);
    int[] trimmed = Arrays.copyOfRange(prompt, promptTokens - kept, promptTokens);
    for (SmallModel kind : SmallModel.values()) {
      try (CausalLm model = kind.create(ElementType.F64, 1)) {
        assertThat(logProb(model, prompt, completion))
            .usingComparator(relative(1e-10))
            .isEqualTo(naive(model, trimmed, completion));
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCompletionThatAloneDoesNotFitIsAnErrorThatSaysSo(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F64, 1)) {
      assertThatThrownBy(() -> logProb(model, ids(1, 3), ids(2, CONTEXT + 1)))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("a completion must fit into the model's context of 32 tokens")
          .hasMessageContaining("has 33");
    }
  }

  @ParameterizedTest
  @EnumSource
  void idsAndSequencesThatTheModelHasNoRoomForNeverReachNativeCode(SmallModel kind) {
    int[] good = ids(1, 3);
    try (CausalLm model = kind.create(ElementType.F64, 1)) {
      for (int bad : new int[] {-1, SmallModel.VOCABULARY}) {
        for (int[][] pair : new int[][][] {{{bad, 1}, good}, {good, {bad, 1}}, {good, {1, bad}}}) {
          assertThatThrownBy(() -> logProb(model, pair[0], pair[1]))
              .isInstanceOf(DpoException.class)
              .hasMessageStartingWith("a token id must be in [0, 24) but was " + bad + "; ");
        }
      }
      assertThatThrownBy(
              () -> SequenceLogProbs.logProbs(model, FlatSequences.of(ids(1, 30), ids(2, 4))))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("a sequence must fit into the model's context of 32 tokens");
    }
  }

  @Test
  void theTermsOfASumAreThoseOfItsTokens() {
    int[] prompt = ids(1, 4);
    int[] completion = ids(2, 3);
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F64, 1)) {
      double[] terms = SequenceLogProbs.tokenLogProbs(model, prompt, completion);
      assertThat(terms).hasSize(3);
      double before = 0;
      for (int i = 0; i < terms.length; i++) {
        double sum = naive(model, prompt, Arrays.copyOf(completion, i + 1));
        assertThat(terms[i]).usingComparator(relative(1e-10)).isEqualTo(sum - before);
        before = sum;
      }
      assertThat(SequenceLogProbs.tokenLogProbs(model, new int[0], completion))
          .as("nothing predicts the first")
          .hasSize(2);
      assertThat(SequenceLogProbs.tokenLogProbs(model, new int[0], ids(1, 1))).isEmpty();
      assertThatThrownBy(() -> SequenceLogProbs.tokenLogProbs(model, prompt, new int[] {24}))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("a token id must be in [0, 24) but was 24");
    }
  }

  @Test
  void theFirstAndTheLastIdOfTheVocabularyAreInIt() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F64, 1)) {
      int last = SmallModel.VOCABULARY - 1;
      assertThat(logProb(model, new int[] {0, last}, new int[] {0, last})).isNegative();
      assertThat(SequenceLogProbs.tokenLogProbs(model, ids(1, CONTEXT), ids(2, 1)))
          .as("a sequence that just fits")
          .hasSize(1);
    }
  }

  /** The bigram model sees of a prompt its last token: whatever is before it must not count. */
  @Test
  void promptTokensActThroughConditioningOnly() {
    try (BigramModel model = bigram()) {
      int[] completion = {3, 1, 3};
      double[] one = gradient(model, new int[] {4, 5, 6, 7}, completion);
      assertThat(gradient(model, new int[] {9, 9, 7}, completion)).isEqualTo(one);
      assertThat(logProb(model, new int[] {9, 9, 7}, completion))
          .isEqualTo(logProb(model, new int[] {4, 5, 6, 7}, completion));
      assertThat(logProb(model, new int[] {4, 5, 6, 8}, completion))
          .isNotEqualTo(logProb(model, new int[] {4, 5, 6, 7}, completion));
    }
  }

  /**
   * By the logits of row r: (onehot - softmax) where r predicts a completion token, else 0. Prompt
   * 4 5 6 7, completion 3 1: rows 7 (predicts 3) and 3 (predicts 1) and no other.
   */
  @Test
  void logitsAtPromptPositionsGetNoGradient() {
    try (BigramModel model = bigram()) {
      double[] gradient = gradient(model, new int[] {4, 5, 6, 7}, new int[] {3, 1});
      double[] table = Tensors.toDoubles(model.parameters().all().get(0).tensor());
      for (int row = 0; row < 10; row++) {
        int target = row == 7 ? 3 : row == 3 ? 1 : -1;
        double normalizer = 0;
        for (int i = 0; i < 10; i++) {
          normalizer += Math.exp(table[10 * row + i]);
        }
        for (int i = 0; i < 10; i++) {
          double softmax = Math.exp(table[10 * row + i]) / normalizer;
          double expected = target < 0 ? 0 : (i == target ? 1 : 0) - softmax;
          assertThat(gradient[10 * row + i]).usingComparator(relative(1e-12)).isEqualTo(expected);
        }
      }
    }
  }

  private static BigramModel bigram() {
    return new BigramModel(10, new RandomParameters(ElementType.F64, new RandomNumbers(5)));
  }

  private static double[] gradient(CausalLm model, int[] prompt, int[] completion) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor table = model.parameters().all().get(0).tensor();
      model.parameters().requireGradients(true);
      table.mutable_grad().reset();
      SequenceLogProbs.sequenceLogProb(model, prompt, completion).backward();
      return Tensors.toDoubles(table.grad());
    }
  }

  private static double logProb(CausalLm model, int[] prompt, int[] completion) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return SequenceLogProbs.sequenceLogProb(model, prompt, completion).item_double();
    }
  }

  /** All tokens but the last through the model, log-softmax token by token, sum over completion. */
  private static double naive(CausalLm model, int[] prompt, int[] completion) {
    int[] all = IntStream.concat(Arrays.stream(prompt), Arrays.stream(completion)).toArray();
    int fed = all.length - 1;
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor hidden =
          model.hiddenStates(
              Tensors.longs(Arrays.copyOf(all, fed)),
              Tensors.longs(IntStream.range(0, fed).toArray()),
              NaiveAttention.causal(fed));
      double[] logits = Tensors.toDoubles(model.logits(hidden));
      double sum = 0;
      for (int i = prompt.length; i < all.length; i++) {
        double normalizer = 0;
        for (int v = 0; v < model.vocabSize(); v++) {
          normalizer += Math.exp(logits[(i - 1) * model.vocabSize() + v]);
        }
        sum += logits[(i - 1) * model.vocabSize() + all[i]] - Math.log(normalizer);
      }
      return sum;
    }
  }

  private static int[] ids(long seed, int count) {
    return new Random(seed).ints(count, 0, SmallModel.VOCABULARY).toArray();
  }
}
