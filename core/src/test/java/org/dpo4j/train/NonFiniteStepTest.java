package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.SkippedStep;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.loss.IpoSumLoss;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Closes: NaN that reaches the weights, a message that names a step of many rows but not the bad
 * one, and a skipped step that leaves a trace in weights, moments or means.
 *
 * <p>24 pairs in order, two micro-batches of 2 a step, are 6 steps. A reference of NaN makes the
 * loss of a pair NaN while the weights are fine.
 */
class NonFiniteStepTest {

  private static final int STEPS = 6;
  private static final List<EncodedExample> PAIRS = SmallPairs.random(24, 4);

  private final CausalLm reference = SmallModel.LLAMA.create(ElementType.F32, 3);
  private final CausalLm policy = reference.copy();
  private final List<StepReport> steps = new ArrayList<>();
  private final List<StepReport> reports = new ArrayList<>();
  private final List<SkippedStep> skipped = new ArrayList<>();

  private final TrainingListener recorder =
      new TrainingListener() {
        @Override
        public void onStep(StepReport step, TrainingControl control) {
          steps.add(step);
        }

        @Override
        public void onReport(StepReport report, TrainingControl control) {
          reports.add(report);
        }

        @Override
        public void onSkippedStep(SkippedStep step, TrainingControl control) {
          skipped.add(step);
        }
      };

  @AfterEach
  void free() {
    policy.close();
    reference.close();
  }

  /** The pairs; those with the given indices have this number as the reference of chosen. */
  private TrainingData data(List<EncodedExample> pairs, double number, int... bad) {
    LogProbTable table = LogProbTable.compute(LogProbEngine.cpu(), reference, pairs, 4, done -> {});
    double[] chosen = IntStream.range(0, pairs.size()).mapToDouble(table::chosen).toArray();
    IntStream.of(bad).forEach(index -> chosen[index] = number);
    double[] rejected = IntStream.range(0, pairs.size()).mapToDouble(table::rejected).toArray();
    return new TrainingData(pairs, new PrecomputedReference(LogProbTable.of(chosen, rejected)));
  }

  private TrainingSession session(CausalLm model, TrainingData data, int skipLimit) {
    return session(model, data, skipLimit, new SigmoidLoss(0.1));
  }

  private static TrainingSession session(
      CausalLm model, TrainingData data, int skipLimit, PreferenceLoss loss) {
    int pairs = data.examples().size();
    return new TrainingSession(
        model,
        data,
        Objective.of(loss),
        new Trainer.Settings(
            new EpochPlan(pairs, 2, 2, EpochPlan.Order.FILE, 1),
            pairs / 4,
            LearningRateSchedule.constant(1e-2),
            new AdamW.Settings(0.9, 0.999, 1e-8, 0.01),
            1,
            skipLimit,
            2,
            Computation.PLAIN,
            true));
  }

  private void train(TrainingData data, int skipLimit) {
    try (TrainingSession session = session(policy, data, skipLimit)) {
      new Trainer(session, recorder).train();
    }
  }

  @Test
  void theStepIsNotTakenAndTheMessageNamesTheBadRowAlone() {
    double[] weights;
    NonFiniteStepException failure;
    try (TrainingSession session = session(policy, data(PAIRS, Double.NaN, 6), 0)) {
      Trainer trainer = new Trainer(session, recorder);
      trainer.advance();
      trainer.advance();
      weights = SmallModel.weights(policy);
      failure = catchThrowableOfType(NonFiniteStepException.class, trainer::train);
    }
    assertThat(failure)
        .hasMessage(
            "step 2: loss, log-probabilities and gradient must be finite but the mean loss was NaN"
                + " and the gradient norm NaN, on 1 of the 4 pairs of the step: [pairs.jsonl:7];"
                + " the weights were not changed by this step. Look at these rows with inspect,"
                + " lower learning_rate, or pass on_nan skip");
    assertThat(SmallModel.weights(policy)).isEqualTo(weights);
    NonFiniteStep found = failure.step();
    assertThat(found.examples()).hasSize(4);
    assertThat(found.bad()).hasSize(1);
    NonFiniteStep.BadExample bad = found.bad().get(0);
    assertThat(bad.example().origin().line()).isEqualTo(7);
    assertThat(bad.loss()).isNaN();
    assertThat(bad.logpsChosen()).isFinite().isNegative();
    assertThat(steps).hasSize(1);
  }

  /** The first step has a check of its own, which must not take a bad pair for a bad program. */
  @Test
  void aBadExampleInTheFirstStepIsNoFailedStartCheck() {
    assertThat(
            catchThrowableOfType(
                NonFiniteStepException.class, () -> train(data(PAIRS, Double.NaN, 0), 0)))
        .hasMessageStartingWith("step 1: ")
        .hasMessageContaining("[pairs.jsonl:1];");
  }

  /** (1.8e19)^2 is a finite loss, but the square of its gradient is beyond 32 bits. */
  @Test
  void aPairWithAFiniteLossAndAnInfiniteGradientIsFoundToo() {
    try (TrainingSession session =
        session(policy, data(PAIRS, 1.8e19, 5), 0, new IpoSumLoss(0.1))) {
      NonFiniteStepException failure =
          catchThrowableOfType(
              NonFiniteStepException.class, () -> new Trainer(session, recorder).train());
      assertThat(failure.step().loss()).isFinite();
      assertThat(failure.step().gradNorm()).isInfinite();
      assertThat(failure.step().bad())
          .singleElement()
          .satisfies(
              bad -> {
                assertThat(bad.example().origin().line()).isEqualTo(6);
                assertThat(bad.loss()).isFinite();
                assertThat(bad.gradNorm()).isInfinite();
              });
    }
  }

  /** Without the four pairs of the second step, the same weights come from one step less. */
  @Test
  void aSkippedStepLeavesWeightsAndMomentsAsTheyWere() {
    train(data(PAIRS, Double.NaN, 6), 1);
    assertThat(skipped)
        .singleElement()
        .satisfies(
            step -> {
              assertThat(step.step()).isEqualTo(2);
              assertThat(step.maxSteps()).isEqualTo(STEPS);
              assertThat(step.rows()).containsExactly("[pairs.jsonl:7]");
              assertThat(step.loss()).isNaN();
              assertThat(step.skipped()).isOne();
              assertThat(step.limit()).isOne();
            });
    assertThat(steps).extracting(StepReport::step).containsExactly(1, 3, 4, 5, 6);
    assertThat(reports).extracting(StepReport::step).containsExactly(2, 4, 6);
    assertThat(reports).extracting(StepReport::examples).containsExactly(4, 8, 8);
    assertThat(reports)
        .allSatisfy(
            report -> {
              assertThat(report.metrics().loss()).isFinite();
              assertThat(report.metrics().rewardsMargins()).isFinite();
              assertThat(report.gradNorm()).isFinite();
            });

    List<EncodedExample> others = new ArrayList<>(PAIRS);
    others.subList(4, 8).clear();
    try (CausalLm other = reference.copy();
        TrainingSession session = session(other, data(others, 0), 0)) {
      new Trainer(session).train();
      assertThat(SmallModel.weights(policy)).isEqualTo(SmallModel.weights(other));
    }
  }

  @Test
  void aSnapshotCarriesTheNumberOfSkippedSteps() {
    TrainingData data = data(PAIRS, Double.NaN, 6, 20);
    train(data, 2);
    assertThat(skipped).extracting(SkippedStep::skipped).containsExactly(1, 2);
    try (CausalLm other = reference.copy();
        CausalLm third = reference.copy();
        TrainingSession first = session(other, data, 2);
        TrainingSession second = session(third, data, 2);
        TrainingSession strict = session(third, data, 1)) {
      Trainer trainer = new Trainer(first);
      for (int i = 0; i < 7; i++) { // into the fourth step
        trainer.advance();
      }
      try (TrainingSnapshot snapshot = first.snapshot()) {
        second.restore(snapshot);
        assertThat(second.skippedSteps()).isOne();
        new Trainer(second).train();
        assertThat(SmallModel.weights(third)).isEqualTo(SmallModel.weights(policy));
        strict.restore(snapshot);
      }
      assertThat(
              catchThrowableOfType(NonFiniteStepException.class, () -> new Trainer(strict).train()))
          .hasMessageStartingWith("step 6: ")
          .hasMessageContaining("1 of 1 allowed by on_nan_limit were skipped before");
    }
  }

  @Test
  void weightsThatAreNotFiniteAreNoReasonToSkip() {
    try (TrainingSession session = session(policy, data(PAIRS, 0), 5)) {
      try (TensorScope scope = TensorScope.open();
          NoGrad noGrad = NoGrad.open()) {
        policy.parameters().all().get(0).tensor().mul_(Tensors.scalar(Double.NaN));
      }
      NonFiniteStepException failure =
          catchThrowableOfType(
              NonFiniteStepException.class, () -> new Trainer(session, recorder).train());
      assertThat(failure)
          .hasMessageContaining("on all pairs of the step")
          .hasMessageContaining("the weights themselves are not finite");
    }
  }

  private static NonFiniteStep step(List<EncodedExample> examples, int bad) {
    return new NonFiniteStep(
        3,
        Double.NaN,
        2,
        examples,
        examples.subList(0, bad).stream()
            .map(example -> new NonFiniteStep.BadExample(example, Double.NaN, -1, -2, Double.NaN))
            .toList());
  }

  @Test
  void theMessageSaysWhetherSomeOrAllOrNoneOfTheExamplesAreBadAlone() {
    List<EncodedExample> three = PAIRS.subList(0, 3);
    assertThat(step(three, 1).description())
        .isEqualTo(
            "step 3: loss, log-probabilities and gradient must be finite but the mean loss was NaN"
                + " and the gradient norm 2.0, on 1 of the 3 pairs of the step: [pairs.jsonl:1]");
    assertThat(step(three, 3).description())
        .contains(", on all pairs of the step: [pairs.jsonl:1], [pairs.jsonl:2], [pairs.jsonl:3]");
    assertThat(step(three, 0).description())
        .contains(", on the 3 pairs of the step together: [pairs.jsonl:1], ");
    List<EncodedExample> labelled =
        three.stream().map(pair -> pair.only(role -> role == CompletionRole.CHOSEN)).toList();
    assertThat(step(labelled, 1).description()).contains("on 1 of the 3 examples of the step");
    assertThat(step(PAIRS, 20).description()).endsWith("[pairs.jsonl:20]");
    assertThat(step(PAIRS, 21).description()).endsWith("[pairs.jsonl:20] and 1 more");
  }

  /** To skip the step helps only if a part of the rows is bad. */
  @Test
  void skippingIsAdvisedWhereOtherRowsAreFine() {
    List<EncodedExample> three = PAIRS.subList(0, 3);
    assertThat(step(three, 2).advice()).contains("on_nan");
    assertThat(step(three, 3).advice()).doesNotContain("on_nan");
    assertThat(step(three, 0).advice()).doesNotContain("on_nan");
  }

  /** With the last one, no step of the run would have been taken. */
  @Test
  void everyStepMayBeSkippedButOne() {
    int[] all = IntStream.range(0, 8).toArray();
    TrainingData data = data(PAIRS.subList(0, 8), Double.NaN, all); // two steps
    try (TrainingSession session = session(policy, data, 5)) {
      assertThat(
              catchThrowableOfType(
                  NonFiniteStepException.class, () -> new Trainer(session, recorder).train()))
          .hasMessageStartingWith("step 2: ")
          .hasMessageContaining("No step of the run could be taken. ");
      assertThat(session.skippedSteps()).isOne();
    }
  }
}
