package org.dpo4j.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.reference.MovingReference.SyncSchedule;
import org.dpo4j.torch.ElementType;
import org.dpo4j.train.SmallPairs;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Closes: a reference that moves too early, too far, or computes with weights of before. */
class MovingReferenceTest {

  private static final List<EncodedExample> PAIRS = SmallPairs.random(4, 2);

  /** After step 3: 0.6 policy + 0.4 reference. */
  @Test
  void itMovesItsShareOfTheWayAfterEveryTauSteps() {
    try (CausalLm policy = SmallModel.TINY_GPT.create(ElementType.F64, 4);
        CausalLm model = SmallModel.TINY_GPT.create(ElementType.F64, 3)) {
      double[] start = SmallModel.weights(model);
      double[] other = SmallModel.weights(policy);
      MovingReference reference = moving(model, new SyncSchedule(0.6, 3), 1);
      for (int step : new int[] {1, 2, 4, 5}) {
        reference.afterStep(step, policy);
        assertThat(SmallModel.weights(model)).as("after step %d", step).isEqualTo(start);
      }
      reference.afterStep(3, policy);
      double[] between =
          IntStream.range(0, start.length)
              .mapToDouble(i -> 0.6 * other[i] + 0.4 * start[i])
              .toArray();
      assertThat(SmallModel.weights(model))
          .usingElementComparator(relative(1e-14))
          .containsExactly(between);
      assertThat(SmallModel.weights(policy)).isEqualTo(other);
      assertThat(reference.movingWeights()).isSameAs(model.parameters());
    }
  }

  @Test
  void aShareOfOneReplacesTheReferenceAndOfZeroLeavesIt() {
    try (CausalLm policy = SmallModel.LLAMA.create(ElementType.F32, 4);
        CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 3)) {
      double[] start = SmallModel.weights(model);
      moving(model, new SyncSchedule(0, 1), 1).afterStep(1, policy);
      assertThat(SmallModel.weights(model)).isEqualTo(start);
      moving(model, new SyncSchedule(1, 1), 1).afterStep(1, policy);
      assertThat(SmallModel.weights(model)).isEqualTo(SmallModel.weights(policy));
    }
  }

  /** In bfloat16 a model computes with copies of its matrices. */
  @Test
  void afterAMoveItComputesWithTheNewWeights() {
    for (boolean bf16 : new boolean[] {false, true}) {
      try (CausalLm policy = SmallModel.LLAMA.create(ElementType.F32, 4);
          CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 3)) {
        if (bf16) {
          policy.parameters().enableBf16();
          model.parameters().enableBf16();
        }
        MovingReference reference = moving(model, new SyncSchedule(1, 1), 1);
        assertThat(logProbs(reference)).isEqualTo(table(model, 1)).isNotEqualTo(table(policy, 1));
        reference.afterStep(1, policy);
        assertThat(logProbs(reference)).isEqualTo(table(policy, 1));
      }
    }
  }

  @Test
  void itsLogProbabilitiesHaveTheWeightsOfTokens() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 3)) {
      MovingReference reference = moving(model, new SyncSchedule(1, 1), 0.5);
      assertThat(logProbs(reference)).isEqualTo(table(model, 0.5)).isNotEqualTo(table(model, 1));
    }
  }

  @Test
  void closingItClosesItsModel() {
    CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 3);
    moving(model, new SyncSchedule(1, 1), 1).close();
    assertThat(model.parameters().all()).allMatch(parameter -> parameter.tensor().isNull());
  }

  @Test
  void aFrozenReferenceGivesWhatItsTableHasAndDoesNotMove() {
    LogProbTable table = LogProbTable.of(new double[] {-1, -2, -3}, new double[] {-4, -5, -6});
    try (PrecomputedReference reference = new PrecomputedReference(table)) {
      List<ScoredExample> pairs =
          List.of(reference.scored(2, PAIRS.get(2)), reference.scored(0, PAIRS.get(0)));
      assertThat(reference.logProbs(pairs, ExampleBatch.of(List.of()).sequences()))
          .containsExactly(-3, -6, -1, -4);
      assertThat(reference.movingWeights()).isNull();
    }
  }

  @ParameterizedTest
  @CsvSource({"-0.1, 1", "1.1, 1", "NaN, 1", "0.5, 0", "0.5, -1"})
  void aScheduleOutOfRangeIsRefused(double alpha, int everySteps) {
    assertThatThrownBy(() -> new SyncSchedule(alpha, everySteps))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageEndingWith("but were " + alpha + ", " + everySteps);
  }

  private static MovingReference moving(CausalLm model, SyncSchedule schedule, double ldAlpha) {
    return new MovingReference(
        LogProbEngine.cpu(), model, schedule, new LengthDesensitizing(ldAlpha));
  }

  /** Of a pair at a time, so that sums have the order of a table computed in batches of one. */
  private static double[] logProbs(MovingReference reference) {
    return PAIRS.stream()
        .map(pair -> reference.scored(0, pair))
        .flatMapToDouble(
            pair ->
                java.util.Arrays.stream(
                    reference.logProbs(
                        List.of(pair), ExampleBatch.of(List.of(pair.example())).sequences())))
        .toArray();
  }

  private static double[] table(CausalLm model, double ldAlpha) {
    double[] values = new double[2 * PAIRS.size()];
    for (int i = 0; i < PAIRS.size(); i++) {
      LogProbTable one =
          LogProbTable.compute(
              LogProbEngine.cpu(),
              model,
              PAIRS.subList(i, i + 1),
              new LengthDesensitizing(ldAlpha),
              1,
              done -> {});
      values[2 * i] = one.chosen(0);
      values[2 * i + 1] = one.rejected(0);
    }
    return values;
  }
}
