package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.loss.DpopLoss;
import org.dpo4j.loss.FDivergence;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.loss.SftLoss;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.SmallModel;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Closes: a reference that moves, steps that depend on how they are cut, runs that cannot be
 * repeated, and runs that go on after their numbers stopped meaning anything.
 */
class TrainerTest {

  private static final List<EncodedExample> PAIRS = SmallPairs.random(8, 6);

  @ParameterizedTest
  @EnumSource
  void trainingMovesThePolicyAndLeavesTheReferenceAsItWas(SmallModel kind) {
    try (CausalLm reference = kind.create(ElementType.F32, 3);
        CausalLm policy = reference.copy();
        TensorScope scope = TensorScope.open()) {
      double[] weights = SmallModel.weights(reference);
      LogProbTable before = table(reference);

      new SmallRun(PAIRS).train(policy, reference);

      assertThat(SmallModel.weights(reference)).isEqualTo(weights);
      assertThat(SmallModel.weights(policy)).isNotEqualTo(weights);
      for (Parameters.Parameter parameter : reference.parameters().all()) {
        assertThat(parameter.tensor().requires_grad()).isFalse();
        assertThat(parameter.tensor().grad().defined()).isFalse();
      }
      LogProbTable after = table(reference);
      LogProbTable trained = table(policy);
      for (int i = 0; i < PAIRS.size(); i++) {
        assertThat(after.chosen(i)).isEqualTo(before.chosen(i));
        assertThat(after.rejected(i)).isEqualTo(before.rejected(i));
        assertThat(trained.chosen(i)).isNotEqualTo(before.chosen(i));
      }
      assertThat(trained.meanMargin()).isGreaterThan(before.meanMargin());
    }
  }

  /** 8 pairs as one micro-batch, as eight, and as 3 + 3 + 2. */
  @ParameterizedTest
  @MethodSource("org.dpo4j.model.SmallModel#withoutRouterLoss")
  void howAStepIsCutIntoMicroBatchesChangesNothingInDoublePrecision(SmallModel kind) {
    double[] whole = weightsAfter(kind, ElementType.F64, 8, 1);
    assertThat(weightsAfter(kind, ElementType.F64, 1, 8))
        .usingElementComparator(relative(1e-12))
        .containsExactly(whole);
    assertThat(weightsAfter(kind, ElementType.F64, 3, 3))
        .usingElementComparator(relative(1e-12))
        .containsExactly(whole);
  }

  /**
   * Adam divides a gradient by its own size, so the rounding of a small one is scaled up to a share
   * of the rate, 1e-3: 1e-5 is a hundredth of a step. Models with biases on keys are left out:
   * attention ignores a constant added to all keys, so their gradient is rounding alone.
   */
  @ParameterizedTest
  @EnumSource(names = {"TINY_GPT", "LLAMA", "WINDOWED"})
  void howAStepIsCutIntoMicroBatchesChangesOnlyRoundingInSinglePrecision(SmallModel kind) {
    double[] whole = weightsAfter(kind, ElementType.F32, 8, 1);
    assertThat(weightsAfter(kind, ElementType.F32, 1, 8))
        .usingElementComparator(relative(1e-5))
        .containsExactly(whole);
    assertThat(weightsAfter(kind, ElementType.F32, 3, 3))
        .usingElementComparator(relative(1e-5))
        .containsExactly(whole);
  }

  /** Weights 1, 2, ... 8: a step divides by 36 however it is cut. */
  @Test
  void pairsOfUnequalWeightsAddUpToOneStepHoweverItIsCut() {
    List<EncodedExample> pairs =
        IntStream.range(0, 8).mapToObj(i -> weighing(PAIRS.get(i), i + 1)).toList();
    double[] whole = weightsAfter(pairs, SmallModel.TINY_GPT, ElementType.F64, 8, 1);
    assertThat(weightsAfter(pairs, SmallModel.TINY_GPT, ElementType.F64, 1, 8))
        .usingElementComparator(relative(1e-12))
        .containsExactly(whole);
    assertThat(weightsAfter(pairs, SmallModel.TINY_GPT, ElementType.F64, 3, 3))
        .usingElementComparator(relative(1e-12))
        .containsExactly(whole);
    assertThat(weightsAfter(PAIRS, SmallModel.TINY_GPT, ElementType.F64, 8, 1)).isNotEqualTo(whole);
  }

  /**
   * Powers of two change no digit, so that every byte must be the same; in 32 bits the weights
   * would be infinite or 0. 1e38 and 1e-40 may change the last digit of a weight.
   */
  @Test
  void aCommonFactorOfAllWeightsChangesNothing() {
    for (PreferenceLoss loss :
        List.of(new SigmoidLoss(0.1), new SftLoss(0.1), new DpopLoss(0.1, 50))) {
      double[] plain = weightsTimes(1, loss);
      for (double factor : new double[] {0x1p126, 0x1p-140, 0x1p300, 0x1p-300}) {
        assertThat(weightsTimes(factor, loss)).isEqualTo(plain);
      }
      for (double factor : new double[] {1e38, 1e-40, 1e100, 1e-99}) {
        assertThat(weightsTimes(factor, loss))
            .usingElementComparator(relative(1e-5))
            .containsExactly(plain);
      }
    }
  }

  private static double[] weightsTimes(double factor, PreferenceLoss loss) {
    List<EncodedExample> pairs = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      pairs.add(weighing(PAIRS.get(i), factor * (1 + i % 3)));
    }
    try (CausalLm reference = SmallModel.LLAMA.create(ElementType.F32, 3);
        CausalLm policy = reference.copy()) {
      SmallRun run = new SmallRun(pairs);
      run.loss = loss;
      run.plan = new EpochPlan(8, 4, 2, EpochPlan.Order.FILE, 0);
      List<StepReport> reports = run.train(policy, reference);
      assertThat(reports.get(0).gradNorm()).isGreaterThan(0.01);
      return SmallModel.weights(policy);
    }
  }

  /** An interrupt is a wish to stop: a cancelled future, an executor that is shut down. */
  @Test
  void anInterruptedThreadStopsBeforeTheNextStepAndSaysSo() {
    try (CausalLm reference = SmallModel.TINY_GPT.create(ElementType.F32, 3);
        CausalLm policy = reference.copy()) {
      TrainingListener interrupts =
          new TrainingListener() {
            @Override
            public void onReport(StepReport report, TrainingControl control) {
              if (report.step() == 2) {
                Thread.currentThread().interrupt();
              }
            }
          };
      assertThatThrownBy(() -> new SmallRun(PAIRS).train(policy, reference, interrupts))
          .isInstanceOf(DpoException.class)
          .hasMessageStartingWith("the thread was interrupted before step 3 of 6");
      assertThat(Thread.interrupted()).isTrue();
    } finally {
      Thread.interrupted(); // the next test is not meant
    }
  }

  /** (3 a + b) / 4, where rewards stay plain means: (a + b) / 2. */
  @Test
  void theLossIsAWeightedMeanAndRewardsArePlainOnes() {
    List<EncodedExample> both = PAIRS.subList(0, 2);
    List<EncodedExample> weighted = List.of(weighing(both.get(0), 3), both.get(1));
    TrainingMetrics first = measured(both.subList(0, 1));
    TrainingMetrics second = measured(both.subList(1, 2));
    TrainingMetrics mean = measured(weighted);
    assertThat(mean.loss())
        .usingComparator(relative(1e-10))
        .isEqualTo((3 * first.loss() + second.loss()) / 4);
    assertThat(mean.rewardsMargins())
        .usingComparator(relative(1e-10))
        .isEqualTo((first.rewardsMargins() + second.rewardsMargins()) / 2);
  }

  /** WPO: exp(mean alignment of the chosen tokens + that of the rejected ones) for each pair. */
  @Test
  void aLossCanBeWeighedByThePolicysProbabilityOfThePair() {
    Objective weighed =
        new Objective(new SigmoidLoss(0.1), FDivergence.NONE, LengthDesensitizing.NONE, true);
    try (CausalLm reference = SmallModel.TINY_GPT.create(ElementType.F64, 3);
        CausalLm policy = SmallModel.TINY_GPT.create(ElementType.F64, 4)) {
      TrainingData data = new SmallRun(PAIRS).data(reference);
      double sum = 0;
      for (EncodedExample pair : PAIRS) {
        sum += measured(List.of(pair)).loss() * probability(policy, pair);
      }
      assertThat(data.evaluate(LogProbEngine.cpu(), policy, weighed, 3).loss())
          .usingComparator(relative(1e-10))
          .isEqualTo(sum / PAIRS.size());
    }
  }

  private static double probability(CausalLm policy, EncodedExample pair) {
    try (LogProbPass pass =
        LogProbEngine.cpu()
            .forward(
                policy,
                FlatSequences.of(pair.promptIds(), pair.chosenIds(), pair.rejectedIds()),
                LengthDesensitizing.NONE,
                LogProbEngine.Purpose.STATISTICS)) {
      double[] alignment = pass.tokens().alignment();
      return Math.exp(
          alignment[0] / pair.chosenIds().length + alignment[1] / pair.rejectedIds().length);
    }
  }

  /** An engine of a program may fail after it has made tensors. */
  @Test
  void aForwardPassThatFailsLeavesNoTensors() {
    try (CausalLm model = SmallModel.TINY_GPT.create(ElementType.F32, 3)) {
      TrainingData data = new SmallRun(PAIRS).data(model);
      LogProbEngine failing =
          (policy, sequences, tail, purpose, dropoutSeed) -> {
            Tensors.doubles(1, 2, 3);
            throw new DpoException("as told");
          };
      long before = TensorScope.liveHandles();
      assertThatThrownBy(() -> data.evaluate(failing, model, Objective.of(new SigmoidLoss(0.1)), 2))
          .hasMessage("as told");
      assertThat(TensorScope.liveHandles()).isEqualTo(before);
    }
  }

  private static TrainingMetrics measured(List<EncodedExample> pairs) {
    try (CausalLm reference = SmallModel.TINY_GPT.create(ElementType.F64, 3);
        CausalLm policy = SmallModel.TINY_GPT.create(ElementType.F64, 4)) {
      return new SmallRun(pairs)
          .data(reference)
          .evaluate(LogProbEngine.cpu(), policy, Objective.of(new SigmoidLoss(0.1)), 2);
    }
  }

  private static EncodedExample weighing(EncodedExample pair, double weight) {
    return new EncodedExample(
        pair.origin(),
        pair.promptIds(),
        pair.chosenIds(),
        pair.rejectedIds(),
        RowNumbers.ofWeight(weight));
  }

  private static double[] weightsAfter(
      SmallModel kind, ElementType type, int microBatch, int accumulation) {
    return weightsAfter(PAIRS, kind, type, microBatch, accumulation);
  }

  private static double[] weightsAfter(
      List<EncodedExample> pairs,
      SmallModel kind,
      ElementType type,
      int microBatch,
      int accumulation) {
    try (CausalLm reference = kind.create(type, 3);
        CausalLm policy = reference.copy()) {
      SmallRun run = new SmallRun(pairs);
      run.plan = new EpochPlan(8, microBatch, accumulation, EpochPlan.Order.FILE, 0);
      List<StepReport> reports = run.train(policy, reference);
      assertThat(reports).hasSize(6);
      assertThat(reports.get(0).metrics().loss())
          .usingComparator(relative(1e-6))
          .isEqualTo(Math.log(2));
      assertThat(reports.get(5).epoch()).isEqualTo(6);
      return SmallModel.weights(policy);
    }
  }

  @ParameterizedTest
  @EnumSource
  void oneSeedGivesTheSameBytesTwice(SmallModel kind) {
    assertThat(seeded(kind, 1)).isEqualTo(seeded(kind, 1));
    assertThat(seeded(kind, 1)).isNotEqualTo(seeded(kind, 2));
  }

  /** The seed of the order only; the initial weights are the same. */
  private static double[] seeded(SmallModel kind, long seed) {
    try (CausalLm reference = kind.create(ElementType.F32, 3);
        CausalLm policy = reference.copy()) {
      SmallRun run = new SmallRun(PAIRS);
      run.plan = new EpochPlan(8, 2, 2, EpochPlan.Order.SHUFFLED, seed);
      run.train(policy, reference);
      return SmallModel.weights(policy);
    }
  }

  /** Every metric from the tables of both models: rewards are 0.1 (policy - reference). */
  @Test
  void evaluationIsTheMeanOverPairsHoweverTheyAreBatched() {
    try (CausalLm reference = SmallModel.LLAMA.create(ElementType.F64, 3);
        CausalLm policy = SmallModel.LLAMA.create(ElementType.F64, 4)) {
      LogProbTable ref = table(reference);
      LogProbTable pol = table(policy);
      double loss = 0;
      double chosen = 0;
      double rejected = 0;
      double correct = 0;
      for (int i = 0; i < 8; i++) {
        double rewardChosen = 0.1 * (pol.chosen(i) - ref.chosen(i));
        double rewardRejected = 0.1 * (pol.rejected(i) - ref.rejected(i));
        loss += Math.log1p(Math.exp(rewardRejected - rewardChosen)) / 8;
        chosen += rewardChosen / 8;
        rejected += rewardRejected / 8;
        correct += (rewardChosen > rewardRejected ? 1 : 0) / 8.0;
      }
      TrainingData data = new SmallRun(PAIRS).data(reference);
      for (int batchSize : new int[] {1, 3, 8}) {
        TrainingMetrics metrics =
            data.evaluate(
                LogProbEngine.cpu(), policy, Objective.of(new SigmoidLoss(0.1)), batchSize);
        assertThat(metrics.loss()).usingComparator(relative(1e-10)).isEqualTo(loss);
        assertThat(metrics.rewardsChosen()).usingComparator(relative(1e-10)).isEqualTo(chosen);
        assertThat(metrics.rewardsRejected()).usingComparator(relative(1e-10)).isEqualTo(rejected);
        assertThat(metrics.rewardsMargins())
            .usingComparator(relative(1e-10))
            .isEqualTo(chosen - rejected);
        assertThat(metrics.rewardsAccuracies()).isEqualTo(correct);
      }
    }
  }

  @Test
  void aTieIsAWrongAnswer() {
    try (CausalLm model = SmallModel.TINY_GPT.create(ElementType.F64, 3)) {
      TrainingData data = new SmallRun(PAIRS).data(model);
      assertThat(
              data.evaluate(LogProbEngine.cpu(), model, Objective.of(new SigmoidLoss(0.1)), 4)
                  .rewardsAccuracies())
          .isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("org.dpo4j.model.SmallModel#withoutRouterLoss")
  void aReferenceThatIsNotTheStartFailsTheCheckBeforeAnyWeightMoves(SmallModel kind) {
    try (CausalLm reference = kind.create(ElementType.F32, 3);
        CausalLm policy = kind.create(ElementType.F32, 4)) {
      double[] weights = SmallModel.weights(policy);
      SmallRun run = new SmallRun(PAIRS);
      assertThatThrownBy(() -> run.train(policy, reference))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("start check failed")
          .hasMessageContaining("the sigmoid loss must be 0.693147");
      assertThat(SmallModel.weights(policy)).isEqualTo(weights);

      run.startsAtReference = false; // the reference is another one on purpose
      assertThat(run.train(policy, reference)).hasSize(6);
    }
  }

  /** After a step of 1e30 the forward pass overflows, so the second step cannot be taken. */
  @ParameterizedTest
  @EnumSource
  void numbersThatStopBeingFiniteStopTheRunAndNameStepAndRows(SmallModel kind) {
    try (CausalLm reference = kind.create(ElementType.F32, 3);
        CausalLm policy = reference.copy()) {
      SmallRun run = new SmallRun(PAIRS);
      run.learningRate = 1e30;
      assertThatThrownBy(() -> run.train(policy, reference))
          .isInstanceOf(DpoException.class)
          .hasMessageStartingWith(
              "step 2: loss, log-probabilities and gradient must be finite but ")
          // A model's head may leave a row's numbers finite.
          .hasMessageContaining("[pairs.jsonl:5], ");
      assertThat(Arrays.stream(SmallModel.weights(policy)).allMatch(Double::isFinite)).isTrue();
    }
  }

  /** Without epsilon the update of a token that no pair has is 0/0, which no loss ever sees. */
  @Test
  void weightsThatAreNotFiniteAtTheEndAreNotASuccess() {
    try (CausalLm reference = SmallModel.TINY_GPT.create(ElementType.F32, 3);
        CausalLm policy = reference.copy()) {
      SmallRun run = new SmallRun(PAIRS);
      run.epsilon = 0;
      run.steps = 1;
      assertThatThrownBy(() -> run.train(policy, reference))
          .isInstanceOf(DpoException.class)
          .hasMessageStartingWith("after step 1 all weights must be finite");
    }
  }

  private static LogProbTable table(CausalLm model) {
    return LogProbTable.compute(LogProbEngine.cpu(), model, PAIRS, 8, done -> {});
  }
}
