package org.dpo4j.logprob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.train.SmallPairs;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Closes: numbers of a pair that depend on which pairs are beside it. Values and gradients are
 * compared in double precision, where rounding cannot hide a leak.
 */
class BatchCompositionTest {

  private static final List<EncodedExample> PAIRS = SmallPairs.random(9, 5);

  @ParameterizedTest
  @EnumSource
  void aPairScoresTheSameAloneTogetherAndInAnotherOrder(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F64, 2)) {
      double[] together =
          scores(
              model,
              ExampleBatch.of(SmallPairs.some(PAIRS, 0, 1, 2, 3, 4, 5, 6, 7, 8)).sequences());
      double[] reversed =
          scores(
              model,
              ExampleBatch.of(SmallPairs.some(PAIRS, 8, 7, 6, 5, 4, 3, 2, 1, 0)).sequences());
      for (int i = 0; i < PAIRS.size(); i++) {
        double[] alone = scores(model, ExampleBatch.of(SmallPairs.some(PAIRS, i)).sequences());
        for (int side = 0; side < 2; side++) {
          assertThat(together[2 * i + side])
              .usingComparator(relative(1e-11))
              .isEqualTo(alone[side]);
          assertThat(reversed[2 * (8 - i) + side])
              .usingComparator(relative(1e-11))
              .isEqualTo(alone[side]);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void sharingThePromptChangesNeitherScoresNorGradients(SmallModel kind) {
    FlatSequences.Builder shared = new FlatSequences.Builder();
    FlatSequences.Builder apart = new FlatSequences.Builder();
    for (EncodedExample pair : PAIRS) {
      shared.add(pair.promptIds(), pair.chosenIds(), pair.rejectedIds());
      apart.add(pair.promptIds(), pair.chosenIds()).add(pair.promptIds(), pair.rejectedIds());
    }
    try (CausalLm model = kind.create(ElementType.F64, 2)) {
      assertThat(scores(model, shared.build()))
          .usingElementComparator(relative(1e-11))
          .containsExactly(scores(model, apart.build()));
      assertThat(gradient(model, shared.build()))
          .usingElementComparator(relative(1e-9))
          .containsExactly(gradient(model, apart.build()));
    }
  }

  /** 20 + 60 x 6 fed tokens are more than attention takes in one call. */
  @ParameterizedTest
  @EnumSource
  void aLongGroupScoresAndLearnsLikeItsPartsAlone(SmallModel kind) {
    Random random = new Random(8);
    int[] prompt = random.ints(20, 0, SmallModel.VOCABULARY).toArray();
    FlatSequences.Builder apart = new FlatSequences.Builder();
    int[][] completions = new int[60][];
    for (int i = 0; i < completions.length; i++) {
      completions[i] = random.ints(7, 0, SmallModel.VOCABULARY).toArray();
      apart.add(prompt, completions[i]);
    }
    FlatSequences shared = FlatSequences.of(prompt, completions);
    try (CausalLm model = kind.create(ElementType.F64, 2)) {
      assertThat(scores(model, shared))
          .usingElementComparator(relative(1e-11))
          .containsExactly(scores(model, apart.build()));
      assertThat(gradient(model, shared))
          .usingElementComparator(relative(1e-8))
          .containsExactly(gradient(model, apart.build()));
    }
  }

  /**
   * Pairs of three prompts, mixed, once laid out in groups of six completions and once in pairs.
   */
  @ParameterizedTest
  @EnumSource
  void pairsThatShareTheirPromptScoreAndLearnLikePairsOfTheirOwn(SmallModel kind) {
    List<EncodedExample> sharing = new ArrayList<>();
    FlatSequences.Builder apart = new FlatSequences.Builder();
    for (int i = 0; i < PAIRS.size(); i++) {
      EncodedExample pair = PAIRS.get(i);
      int[] prompt = PAIRS.get(i % 3).promptIds();
      sharing.add(new EncodedExample(pair.origin(), prompt, pair.chosenIds(), pair.rejectedIds()));
      apart.add(prompt, pair.chosenIds(), pair.rejectedIds());
    }
    FlatSequences shared = ExampleBatch.of(sharing).sequences();
    assertThat(shared.groups()).hasSize(3);
    try (CausalLm model = kind.create(ElementType.F64, 2)) {
      assertThat(scores(model, shared))
          .usingElementComparator(relative(1e-11))
          .containsExactly(scores(model, apart.build()));
      assertThat(gradient(model, shared))
          .usingElementComparator(relative(1e-9))
          .containsExactly(gradient(model, apart.build()));
    }
  }

  @ParameterizedTest
  @EnumSource
  void gradientsOfABatchAreTheSumOfThoseOfItsPairs(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F64, 2)) {
      double[] sum = new double[(int) model.parameters().count()];
      for (int i = 0; i < PAIRS.size(); i++) {
        double[] one = gradient(model, ExampleBatch.of(SmallPairs.some(PAIRS, i)).sequences());
        IntStream.range(0, sum.length).forEach(j -> sum[j] += one[j]);
      }
      int[] all = IntStream.range(0, PAIRS.size()).toArray();
      assertThat(gradient(model, ExampleBatch.of(SmallPairs.some(PAIRS, all)).sequences()))
          .usingElementComparator(relative(1e-9))
          .containsExactly(sum);
    }
  }

  /** What is behind the mask: another pair's prompt, and the other completion of the same pair. */
  @ParameterizedTest
  @EnumSource
  void perturbingOtherTokensChangesNoCompletion(SmallModel kind) {
    EncodedExample first = PAIRS.get(0);
    EncodedExample second = PAIRS.get(1);
    FlatSequences plain =
        new FlatSequences.Builder()
            .add(first.promptIds(), first.chosenIds(), first.rejectedIds())
            .add(second.promptIds(), second.chosenIds(), second.rejectedIds())
            .build();
    FlatSequences perturbed =
        new FlatSequences.Builder()
            .add(first.promptIds(), first.chosenIds(), other(first.rejectedIds()))
            .add(other(second.promptIds()), second.chosenIds(), second.rejectedIds())
            .build();
    try (CausalLm model = kind.create(ElementType.F64, 2)) {
      double[] before = scores(model, plain);
      double[] after = scores(model, perturbed);
      assertThat(after[0]).usingComparator(relative(1e-11)).isEqualTo(before[0]);
      for (int i = 1; i < 4; i++) { // these were meant to change
        assertThat(Math.abs(after[i] - before[i])).isGreaterThan(1e-3);
      }
      assertThat(gradientOfFirst(model, perturbed))
          .usingElementComparator(relative(1e-10))
          .containsExactly(gradientOfFirst(model, plain));
    }
  }

  @ParameterizedTest
  @EnumSource
  void aTableOfADataSetDoesNotDependOnTheBatchSize(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F64, 2)) {
      LogProbTable one = LogProbTable.compute(LogProbEngine.cpu(), model, PAIRS, 1, done -> {});
      List<Integer> progress = new ArrayList<>();
      LogProbTable four = LogProbTable.compute(LogProbEngine.cpu(), model, PAIRS, 4, progress::add);
      assertThat(progress).containsExactly(4, 8, 9);
      for (int i = 0; i < PAIRS.size(); i++) {
        assertThat(four.chosen(i)).usingComparator(relative(1e-11)).isEqualTo(one.chosen(i));
        assertThat(four.rejected(i)).usingComparator(relative(1e-11)).isEqualTo(one.rejected(i));
      }
      List<Integer> ends = new ArrayList<>();
      LogProbTable budget =
          LogProbTable.compute(
              LogProbEngine.cpu(),
              model,
              PAIRS,
              LengthDesensitizing.NONE,
              new TokenBudget(40),
              ends::add);
      assertThat(ends).hasSizeBetween(3, 8).endsWith(9);
      for (int i = 0; i < PAIRS.size(); i++) {
        assertThat(budget.chosen(i)).usingComparator(relative(1e-11)).isEqualTo(one.chosen(i));
        assertThat(budget.rejected(i)).usingComparator(relative(1e-11)).isEqualTo(one.rejected(i));
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void theOrderOfCompletionsBehindOnePromptDoesNotMatter(SmallModel kind) {
    for (int promptTokens : new int[] {1, 4, 24}) {
      int[] prompt = new Random(1).ints(promptTokens, 0, SmallModel.VOCABULARY).toArray();
      List<int[]> completions = new ArrayList<>();
      PAIRS.forEach(pair -> completions.add(pair.chosenIds()));
      try (CausalLm model = kind.create(ElementType.F64, 2)) {
        double[] forward =
            scores(model, FlatSequences.of(prompt, completions.toArray(int[][]::new)));
        Collections.reverse(completions);
        double[] backward =
            scores(model, FlatSequences.of(prompt, completions.toArray(int[][]::new)));
        for (int i = 0; i < forward.length; i++) {
          assertThat(backward[forward.length - 1 - i])
              .usingComparator(relative(1e-11))
              .isEqualTo(forward[i]);
        }
      }
    }
  }

  private static double[] scores(CausalLm model, FlatSequences sequences) {
    try (TensorScope scope = TensorScope.open();
        LogProbPass pass =
            LogProbEngine.cpu()
                .forward(model, sequences, LengthDesensitizing.NONE, LogProbEngine.Purpose.SUMS)) {
      return Tensors.toDoubles(pass.sums());
    }
  }

  private static double[] gradient(CausalLm model, FlatSequences sequences) {
    double[] ones = new double[sequences.sequences()];
    Arrays.fill(ones, 1);
    return gradient(model, sequences, ones);
  }

  private static double[] gradientOfFirst(CausalLm model, FlatSequences sequences) {
    double[] first = new double[sequences.sequences()];
    first[0] = 1;
    return gradient(model, sequences, first);
  }

  private static double[] gradient(CausalLm model, FlatSequences sequences, double[] bySums) {
    try (FlatParameters flat = FlatParameters.of(model.parameters());
        TensorScope scope = TensorScope.open();
        LogProbPass pass =
            LogProbEngine.cpu()
                .forward(
                    model, sequences, LengthDesensitizing.NONE, LogProbEngine.Purpose.TRAINING)) {
      Tensor sums = pass.sums();
      pass.backward(Tensors.like(sums, bySums), Tensors.zerosLike(sums, sums.shape()));
      return Tensors.toDoubles(flat.gradients());
    }
  }

  /** Another token at every place. */
  private static int[] other(int[] ids) {
    return IntStream.of(ids).map(id -> (id + 11) % SmallModel.VOCABULARY).toArray();
  }
}
