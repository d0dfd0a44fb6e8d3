package org.dpo4j.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.model.BigramModel;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.SmallModel;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Closes: a completion that differs from what the model finds most probable, is longer than asked
 * for, contains its end token, or depends on the prompts before it.
 */
class GeneratorTest {

  private static final int VOCABULARY = 100;
  private static final TokenSampler GREEDY = new TokenSampler(0, 1);

  /** After token i the most probable one is i + 1, by far; after 99 it is 0. */
  private final CausalLm counting = new BigramModel(VOCABULARY, counting(50));

  /** The same, but i + 2 is as probable as i + 1. */
  private final CausalLm hesitant = new BigramModel(VOCABULARY, hesitant());

  private static ParameterSource counting(double logit) {
    double[] table = new double[VOCABULARY * VOCABULARY];
    for (int i = 0; i < VOCABULARY; i++) {
      table[i * VOCABULARY + (i + 1) % VOCABULARY] = logit;
    }
    return table(table);
  }

  private static ParameterSource hesitant() {
    double[] table = new double[VOCABULARY * VOCABULARY];
    for (int i = 0; i < VOCABULARY; i++) {
      table[i * VOCABULARY + (i + 1) % VOCABULARY] = 50;
      table[i * VOCABULARY + (i + 2) % VOCABULARY] = 50;
    }
    return table(table);
  }

  private static ParameterSource table(double[] values) {
    return (name, kind, shape) -> {
      try (TensorScope scope = TensorScope.open()) {
        return scope.disown(
            Tensors.zeros(ElementType.F32, shape).copy_(Tensors.doubles(values).view(shape)));
      }
    };
  }

  private static Generator greedy(CausalLm model, Integer... endTokens) {
    return new Generator(model, Set.of(endTokens), GREEDY, 1);
  }

  @Test
  void theMostProbableTokensFollowOneAnother() {
    assertThat(greedy(counting).generate(new int[] {40, 5}, 4)).containsExactly(6, 7, 8, 9);
    assertThat(greedy(counting).generate(new int[] {98}, 3)).containsExactly(99, 0, 1);
  }

  @Test
  void anEndTokenEndsTheCompletionAndIsNotPartOfIt() {
    assertThat(greedy(counting, 9, 50).generate(new int[] {5}, 10)).containsExactly(6, 7, 8);
    assertThat(greedy(counting, 6).generate(new int[] {5}, 10)).isEmpty();
  }

  @Test
  void noMoreTokensAreMadeThanAskedFor() {
    assertThat(greedy(counting).generate(new int[] {5}, 0)).isEmpty();
    assertThat(greedy(counting).generate(new int[] {5}, 1)).containsExactly(6);
  }

  /** The context is 64 tokens. */
  @Test
  void theContextOfTheModelEndsACompletion() {
    assertThat(greedy(counting).generate(new int[61], 10)).containsExactly(1, 2, 3);
    assertThat(greedy(counting).generate(new int[63], 10)).containsExactly(1);
  }

  @Test
  void eachTokenIsPassedOnBeforeTheNextIsSampled() {
    List<Integer> seen = new ArrayList<>();
    int[] completion = greedy(counting, 9).generate(new int[] {5}, 10, seen::add);
    assertThat(completion).containsExactly(6, 7, 8);
    assertThat(seen).containsExactly(6, 7, 8);
  }

  @Test
  void anExceptionOfTheReceiverEndsTheGeneration() {
    List<Integer> seen = new ArrayList<>();
    assertThatThrownBy(
            () ->
                greedy(counting)
                    .generate(
                        new int[] {5},
                        10,
                        token -> {
                          seen.add(token);
                          if (token == 7) {
                            throw new IllegalStateException("enough");
                          }
                        }))
        .hasMessage("enough");
    assertThat(seen).containsExactly(6, 7);
  }

  @Test
  void anInterruptedThreadStopsBeforeTheNextToken() {
    List<Integer> seen = new ArrayList<>();
    try {
      assertThatThrownBy(
              () ->
                  greedy(counting)
                      .generate(
                          new int[] {5},
                          10,
                          token -> {
                            seen.add(token);
                            if (seen.size() == 2) {
                              Thread.currentThread().interrupt();
                            }
                          }))
          .isInstanceOf(DpoException.class)
          .hasMessageStartingWith("the thread was interrupted after 2 generated tokens");
      assertThat(seen).containsExactly(6, 7);
    } finally {
      Thread.interrupted(); // the next test is not meant
    }
  }

  /** 40 choices of two tokens each: the same by chance once in 2^40. */
  @Test
  void aSampledCompletionDependsOnTheSeedAndNotOnEarlierPrompts() {
    int[] prompt = {5};
    Generator one = sampling(1);
    int[] first = one.generate(prompt, 40);
    assertThat(IntStream.range(1, 40).map(i -> (first[i] - first[i - 1] + 100) % 100))
        .contains(1, 2)
        .containsAnyOf(1, 2);
    one.generate(new int[] {70, 3}, 20);
    assertThat(one.generate(prompt, 40)).isEqualTo(first);
    assertThat(sampling(1).generate(prompt, 40)).isEqualTo(first);
    assertThat(sampling(2).generate(prompt, 40)).isNotEqualTo(first);
  }

  private Generator sampling(long seed) {
    return new Generator(hesitant, Set.of(), new TokenSampler(1, 1), seed);
  }

  /**
   * Each token against the log-probabilities of all tokens by a forward pass over all before it.
   */
  @ParameterizedTest
  @EnumSource
  void inEveryFamilyEachTokenIsTheMostProbableOneAfterAllBeforeIt(SmallModel kind) {
    int[] prompt = {1, 7, 3, 20};
    try (CausalLm model = kind.create(ElementType.F64, 3)) {
      int[] completion = greedy(model).generate(prompt, 12);
      assertThat(completion).hasSize(12);
      List<Integer> sequence = new ArrayList<>(IntStream.of(prompt).boxed().toList());
      for (int token : completion) {
        assertThat(token).isEqualTo(mostProbable(model, sequence));
        sequence.add(token);
      }
    }
  }

  private static int mostProbable(CausalLm model, List<Integer> sequence) {
    FlatSequences.Builder builder = new FlatSequences.Builder();
    builder.add(
        sequence.stream().mapToInt(i -> i).toArray(),
        IntStream.range(0, SmallModel.VOCABULARY)
            .mapToObj(token -> new int[] {token})
            .toArray(int[][]::new));
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor logProbs = SequenceLogProbs.logProbs(model, builder.build());
      double[] values = Tensors.toDoubles(logProbs);
      return IntStream.range(0, values.length)
          .reduce((best, token) -> values[token] > values[best] ? token : best)
          .orElseThrow();
    }
  }

  @Test
  void aPromptThatIsEmptyOrFillsTheContextIsRefused() {
    Generator generator = greedy(counting);
    assertThatThrownBy(() -> generator.generate(new int[0], 5))
        .isInstanceOf(DpoException.class)
        .hasMessage(
            "a prompt must have from 1 to 63 tokens, one less than the model's context, but has 0;"
                + " write something");
    assertThatThrownBy(() -> generator.check(new int[64]))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("but has 64; shorten it");
    generator.check(new int[63]);
  }

  @Test
  void aPromptWithAnIdOutsideTheVocabularyIsRefused() {
    Generator generator = greedy(counting);
    for (int id : new int[] {-1, VOCABULARY}) {
      assertThatThrownBy(() -> generator.check(new int[] {5, id}))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("" + id);
    }
    generator.check(new int[] {0, VOCABULARY - 1});
  }

  @Test
  void aCompletionLeavesNoTensorBehind() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 3)) {
      greedy(model).generate(new int[] {1, 2}, 8); // what is made once stays
      System.gc();
      long before = TensorScope.liveHandles();
      greedy(model).generate(new int[] {1, 2}, 8);
      assertThat(TensorScope.liveHandles()).isLessThanOrEqualTo(before);
    }
  }

  @AfterEach
  void free() {
    counting.close();
    hesitant.close();
  }
}
