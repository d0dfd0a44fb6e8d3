package org.dpo4j.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
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
 * for, contains its end token, or depends on the prompts before it or beside it; a log-probability
 * that is not the model's.
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

  private static int[] ids(Generator generator, int[] prompt, int maxNewTokens) {
    return generator.generate(prompt, maxNewTokens).ids();
  }

  @Test
  void theMostProbableTokensFollowOneAnother() {
    assertThat(ids(greedy(counting), new int[] {40, 5}, 4)).containsExactly(6, 7, 8, 9);
    assertThat(ids(greedy(counting), new int[] {98}, 3)).containsExactly(99, 0, 1);
  }

  @Test
  void anEndTokenEndsTheCompletionAndIsNotPartOfIt() {
    assertThat(ids(greedy(counting, 9, 50), new int[] {5}, 10)).containsExactly(6, 7, 8);
    assertThat(ids(greedy(counting, 6), new int[] {5}, 10)).isEmpty();
  }

  @Test
  void noMoreTokensAreMadeThanAskedFor() {
    assertThat(ids(greedy(counting), new int[] {5}, 0)).isEmpty();
    assertThat(ids(greedy(counting), new int[] {5}, 1)).containsExactly(6);
  }

  /** The context is 64 tokens. */
  @Test
  void theContextOfTheModelEndsACompletion() {
    assertThat(ids(greedy(counting), new int[61], 10)).containsExactly(1, 2, 3);
    assertThat(ids(greedy(counting), new int[63], 10)).containsExactly(1);
  }

  @Test
  void eachTokenIsPassedOnBeforeTheNextIsSampled() {
    List<Integer> seen = new ArrayList<>();
    int[] completion = greedy(counting, 9).generate(new int[] {5}, 10, seen::add).ids();
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
                          return true;
                        }))
        .hasMessage("enough");
    assertThat(seen).containsExactly(6, 7);
  }

  @Test
  void theReceiverEndsACompletion() {
    Generator.Completion completion =
        greedy(counting, 9).generate(new int[] {5}, 10, token -> token != 7);
    assertThat(completion.ids()).containsExactly(6, 7);
    assertThat(completion.ended()).isFalse();
  }

  /** Without the penalty 6 follows 5 and so on; with it, each token that was not there yet. */
  @Test
  void aRepetitionPenaltyCountsThePromptAndTheCompletion() {
    CausalLm circling = new BigramModel(VOCABULARY, circling());
    assertThat(ids(greedy(circling), new int[] {0}, 6)).containsExactly(1, 0, 1, 0, 1, 0);
    Generator penalized = new Generator(circling, Set.of(), new TokenSampler(0, 1, 0, 0, 3), 1);
    assertThat(ids(penalized, new int[] {0}, 4)).containsExactly(1, 2, 3, 0);
    circling.close();
  }

  /** After 0 comes 1 (4) or 2 (1.5); after 1 comes 0 (4) or 2 (3); after 2 comes 3; then 0. */
  private static ParameterSource circling() {
    double[] table = new double[VOCABULARY * VOCABULARY];
    table[1] = 4;
    table[2] = 1.5;
    table[VOCABULARY] = 4;
    table[VOCABULARY + 2] = 3;
    table[2 * VOCABULARY + 3] = 5;
    table[3 * VOCABULARY] = 9;
    return table(table);
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
                            return true;
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
    int[] first = ids(one, prompt, 40);
    assertThat(IntStream.range(1, 40).map(i -> (first[i] - first[i - 1] + 100) % 100))
        .contains(1, 2)
        .containsAnyOf(1, 2);
    one.generate(new int[] {70, 3}, 20);
    assertThat(ids(one, prompt, 40)).isEqualTo(first);
    assertThat(ids(sampling(1), prompt, 40)).isEqualTo(first);
    assertThat(ids(sampling(2), prompt, 40)).isNotEqualTo(first);
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
      int[] completion = ids(greedy(model), prompt, 12);
      assertThat(completion).hasSize(12);
      List<Integer> sequence = new ArrayList<>(IntStream.of(prompt).boxed().toList());
      for (int token : completion) {
        assertThat(token).isEqualTo(mostProbable(model, sequence));
        sequence.add(token);
      }
    }
  }

  /** Prompts of several lengths, more than fit into a batch; one is there twice. */
  private static final List<Generator.Prompt> PROMPTS =
      List.of(
          new Generator.Prompt(new int[] {1, 7, 3, 20}, 0),
          new Generator.Prompt(new int[] {9}, 1),
          new Generator.Prompt(new int[] {2, 2, 8, 19, 23, 5, 11, 4, 17}, 2),
          new Generator.Prompt(new int[] {1, 7, 3, 20}, 3),
          new Generator.Prompt(new int[] {6, 12}, 4));

  private static List<List<Generator.Completion>> all(
      Generator generator, int each, int batchSize) {
    List<List<Generator.Completion>> all = new ArrayList<>();
    generator.generate(PROMPTS, each, 12, batchSize, all::add);
    return all;
  }

  @ParameterizedTest
  @EnumSource
  void inEveryFamilyCompletionsAreTheSameInABatchOfAnySize(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F64, 3)) {
      // Some completions end early, so that others take their places.
      Generator generator =
          new Generator(model, Set.of(4, 9, 21), new TokenSampler(1, 0.95, 30), 5);
      List<List<Generator.Completion>> oneByOne = all(generator, 3, 1);
      assertThat(oneByOne).hasSize(PROMPTS.size());
      for (int batchSize : new int[] {2, 7, 100}) {
        List<List<Generator.Completion>> batched = all(generator, 3, batchSize);
        for (int i = 0; i < PROMPTS.size(); i++) {
          for (int j = 0; j < 3; j++) {
            Generator.Completion expected = oneByOne.get(i).get(j);
            Generator.Completion found = batched.get(i).get(j);
            assertThat(found.ids()).isEqualTo(expected.ids());
            assertThat(found.ended()).isEqualTo(expected.ended());
            assertThat(found.logProb()).isCloseTo(expected.logProb(), within(1e-9));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void inEveryFamilyGreedyCompletionsOfABatchAreThoseOfEachPromptAlone(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F64, 3)) {
      List<List<Generator.Completion>> batched = all(greedy(model, 9), 1, 3);
      for (int i = 0; i < PROMPTS.size(); i++) {
        Generator.Completion alone = greedy(model, 9).generate(PROMPTS.get(i).ids(), 12);
        assertThat(batched.get(i).get(0).ids()).isEqualTo(alone.ids());
      }
    }
  }

  /** An independent pass over prompt and completion, in 32 bits, the end token among them. */
  @ParameterizedTest
  @EnumSource
  void inEveryFamilyLogProbabilitiesAreThoseOfAFullPass(SmallModel kind) {
    int end = 9;
    try (CausalLm model = kind.create(ElementType.F32, 3)) {
      Generator generator = new Generator(model, Set.of(end), new TokenSampler(1.3, 0.9), 5);
      List<List<Generator.Completion>> all = all(generator, 8, 6);
      for (int i = 0; i < PROMPTS.size(); i++) {
        for (Generator.Completion completion : all.get(i)) {
          int[] ids = Arrays.copyOf(completion.ids(), completion.count());
          if (completion.ended()) {
            ids[ids.length - 1] = end;
          }
          try (TensorScope scope = TensorScope.open();
              LogProbPass pass =
                  LogProbEngine.cpu()
                      .forward(
                          model,
                          FlatSequences.of(PROMPTS.get(i).ids(), ids),
                          LengthDesensitizing.NONE,
                          LogProbEngine.Purpose.SUMS)) {
            assertThat(completion.logProb())
                .isCloseTo(Tensors.toDoubles(pass.sums())[0], within(1e-4));
          }
        }
      }
      assertThat(all.stream().flatMap(List::stream)).anyMatch(Generator.Completion::ended);
    }
  }

  /** The row of token 8 is 50 at token 9, and 0 at the 99 others. */
  @Test
  void theEndTokenCountsInTheLogProbability() {
    Generator.Completion completion =
        greedy(new BigramModel(VOCABULARY, counting(1)), 7).generate(new int[] {5}, 9);
    assertThat(completion.ids()).containsExactly(6);
    assertThat(completion.count()).isEqualTo(2);
    assertThat(completion.ended()).isTrue();
    assertThat(completion.logProb()).isCloseTo(2 * (1 - Math.log(Math.E + 99)), within(1e-5));
  }

  /** Of 50 tokens; the others end sooner. */
  @Test
  void promptsAreDeliveredInTheirOrderWhicheverEndsFirst() {
    List<Generator.Prompt> prompts =
        IntStream.of(49, 95, 97, 90)
            .mapToObj(id -> new Generator.Prompt(new int[] {id}, id))
            .toList();
    List<Integer> lengths = new ArrayList<>();
    greedy(counting, 99)
        .generate(prompts, 1, 60, 4, completions -> lengths.add(completions.get(0).ids().length));
    assertThat(lengths).containsExactly(49, 3, 1, 8);
  }

  /** 40 choices of two tokens each: equal by chance once in 2^40. */
  @Test
  void completionsOfAPromptDifferAndSoDoThoseOfEqualPrompts() {
    List<Generator.Prompt> prompts =
        List.of(new Generator.Prompt(new int[] {5}, 0), new Generator.Prompt(new int[] {5}, 1));
    List<List<Integer>> all = new ArrayList<>();
    sampling(1)
        .generate(
            prompts,
            3,
            40,
            4,
            completions ->
                completions.forEach(each -> all.add(IntStream.of(each.ids()).boxed().toList())));
    assertThat(all).hasSize(6).doesNotHaveDuplicates();
    assertThat(all.get(0))
        .containsExactly(
            IntStream.of(ids(sampling(1), new int[] {5}, 40)).boxed().toArray(Integer[]::new));
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
      all(greedy(model), 1, 3); // what is made once stays
      System.gc();
      long before = TensorScope.liveHandles();
      all(greedy(model), 1, 3);
      assertThat(TensorScope.liveHandles()).isLessThanOrEqualTo(before);
    }
  }

  @AfterEach
  void free() {
    counting.close();
    hesitant.close();
  }
}
