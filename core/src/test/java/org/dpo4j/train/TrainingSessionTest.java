package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.MovingReference;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.reference.Reference;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Closes: a run that cannot be continued from the middle because a part of its state is nobody's.
 *
 * <p>22 pairs in micro-batches of 3, two a step, are 4 steps an epoch, of which the last has 4
 * pairs; 10 steps are two and a half epochs, logged every third. The learning rate warms up for 3
 * steps and then falls in a line.
 */
class TrainingSessionTest {

  private static final int STEPS = 10;
  private static final List<EncodedExample> PAIRS = SmallPairs.random(22, 4);

  /** What is trained against what. */
  private enum Kind {
    FULL,
    LORA_WITH_DROPOUT,
    MOVING_REFERENCE,
    LD_DPO_IN_BF16
  }

  /** A run with everything that it allocates. */
  private static final class Run implements AutoCloseable {
    final List<StepReport> reports = new ArrayList<>();
    final CausalLm base;
    final CausalLm policy;
    final Reference reference;
    final TrainingSession session;
    final Trainer trainer;

    Run(Kind kind) {
      base = SmallModel.LLAMA.create(ElementType.F32, 3);
      LengthDesensitizing tail =
          kind == Kind.LD_DPO_IN_BF16 ? new LengthDesensitizing(0.5) : LengthDesensitizing.NONE;
      boolean bf16 = kind == Kind.LD_DPO_IN_BF16;
      if (bf16) {
        base.parameters().enableBf16();
      }
      reference =
          kind == Kind.MOVING_REFERENCE
              ? new MovingReference(
                  LogProbEngine.cpu(), base.copy(), new MovingReference.SyncSchedule(0.6, 2), tail)
              : new PrecomputedReference(
                  LogProbTable.compute(LogProbEngine.cpu(), base, PAIRS, tail, 4, done -> {}));
      policy = kind == Kind.LORA_WITH_DROPOUT ? adapted(base) : base;
      EpochPlan plan = new EpochPlan(PAIRS.size(), 3, 2, EpochPlan.Order.SHUFFLED, 11);
      Trainer.Settings settings =
          new Trainer.Settings(
              plan,
              STEPS,
              new LearningRateSchedule(1e-2, new LearningRateSchedule.Shape.Linear(), 3, STEPS),
              new AdamW.Settings(0.9, 0.999, 1e-8, 0.01),
              1,
              0,
              3,
              new Computation(bf16, false, LogProbEngine.cpu()),
              false);
      session =
          new TrainingSession(
              policy,
              new TrainingData(PAIRS, reference),
              new Objective(new SigmoidLoss(0.1), org.dpo4j.loss.FDivergence.NONE, tail, false),
              settings);
      trainer =
          new Trainer(
              session,
              new TrainingListener() {
                @Override
                public void onReport(StepReport report, TrainingControl control) {
                  reports.add(report);
                }
              });
    }

    private static LoraModel adapted(CausalLm base) {
      LoraConfig config =
          new LoraConfig(
              3, 5, 0.4, false, new TargetModules.AllLinear(), List.of(), Map.of(), Map.of());
      LoraModel model = new LoraModel(base, config, LoraModel.fresh(base, new RandomNumbers(5)));
      model.enableDropout();
      return model;
    }

    void advance(int microBatches) {
      for (int i = 0; i < microBatches; i++) {
        trainer.advance();
      }
    }

    double[] weights() {
      return policy.trained().all().stream()
          .flatMapToDouble(p -> java.util.Arrays.stream(Tensors.toDoubles(p.tensor())))
          .toArray();
    }

    @Override
    public void close() {
      session.close();
      if (policy != base) {
        policy.close();
      }
      reference.close();
      base.close();
    }
  }

  /** In an epoch's first, second and last step, between two steps and between micro-batches. */
  @ParameterizedTest
  @EnumSource
  void aRunRestoredFromAnyPlaceEndsWithTheSameBytes(Kind kind) {
    double[] weights;
    List<String> reports;
    long tokens;
    try (Run whole = new Run(kind)) {
      double[] start = whole.weights();
      whole.trainer.train();
      weights = whole.weights();
      assertThat(weights).isNotEqualTo(start);
      reports = figures(whole.reports);
      // Of the last step covered: the rate rises in 3 steps, and falls to 0 in the other 7.
      assertThat(whole.reports)
          .extracting(StepReport::learningRate)
          .usingElementComparator(relative(1e-12))
          .containsExactly(1e-2 * 2 / 3, 1e-2 * 5 / 7, 1e-2 * 2 / 7, 1e-2 * 1 / 7);
      assertThat(reports).hasSize(4);
      tokens = whole.session.numTokens();
    }
    for (int done : new int[] {0, 1, 2, 7, 8, 13, 19}) {
      try (Run first = new Run(kind);
          Run second = new Run(kind)) {
        first.advance(done);
        second.advance(3); // whatever it did before must not matter
        second.reports.clear();
        try (TrainingSnapshot snapshot = first.session.snapshot()) {
          first.advance(1); // a snapshot is a copy
          second.session.restore(snapshot);
        }
        assertThat(second.session.step()).isEqualTo(done / 2);
        assertThat(second.session.microBatch()).isEqualTo(done % 2);
        second.trainer.train();

        assertThat(second.weights()).as("after %d micro-batches", done).isEqualTo(weights);
        List<String> all = new ArrayList<>(figures(first.reports.subList(0, done / 6)));
        all.addAll(figures(second.reports));
        assertThat(all).isEqualTo(reports);
        assertThat(second.session.numTokens()).isEqualTo(tokens);
        assertThat(second.session.examplesSeen()).isEqualTo(22 + 22 + 12);
      }
    }
  }

  @Test
  void aSnapshotOfAnotherRunIsRefused() {
    try (Run full = new Run(Kind.FULL);
        Run moving = new Run(Kind.MOVING_REFERENCE);
        Run adapter = new Run(Kind.LORA_WITH_DROPOUT);
        TrainingSnapshot snapshot = full.session.snapshot()) {
      assertThatThrownBy(() -> adapter.session.restore(snapshot))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("trained parameters");
      assertThatThrownBy(() -> moving.session.restore(snapshot))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("weights of a moving reference");
    }
  }

  /** All that is reported but times. */
  private static List<String> figures(List<StepReport> reports) {
    return reports.stream()
        .map(
            report -> {
              TrainingMetrics metrics = report.metrics();
              return "%d %s %d %s %s %s %d"
                  .formatted(
                      report.step(),
                      report.epoch(),
                      report.examples(),
                      metrics,
                      report.gradNorm(),
                      report.learningRate(),
                      report.numTokens());
            })
        .toList();
  }

  @Test
  void aSnapshotOfAnotherSeedIsRefusedAndChangesNothing() {
    try (Run run = new Run(Kind.FULL);
        TrainingSnapshot snapshot = run.session.snapshot()) {
      TrainingSnapshot.Numbers numbers = snapshot.numbers();
      assertThat(numbers.seed()).isEqualTo(11);
      TrainingSnapshot.Numbers other =
          new TrainingSnapshot.Numbers(
              12, 3, 0, 0, 0, 0, 0, numbers.ofStep(), numbers.sinceReport());
      assertThatThrownBy(() -> run.session.restore(other, snapshot.layout(), snapshot))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("the saved state must have the run's seed but has 12 instead of 11");
      assertThat(run.session.step()).isZero();
    }
  }

  @Test
  void aSnapshotHasTheTensorsThatItsPlaceNeeds() {
    try (Run run = new Run(Kind.FULL);
        Run moving = new Run(Kind.MOVING_REFERENCE)) {
      assertThat(run.session.tensors().keySet())
          .containsExactly("weights", "optimizer.means", "optimizer.squares");
      run.advance(1);
      assertThat(run.session.tensors().keySet()).contains("gradients").hasSize(4);
      run.advance(1);
      assertThat(run.session.tensors().keySet()).hasSize(3);
      assertThat(moving.session.tensors().keySet())
          .containsAll(
              moving.base.parameters().all().stream()
                  .map(parameter -> "reference." + parameter.name())
                  .toList());
      try (TrainingSnapshot snapshot = run.session.snapshot()) {
        assertThat(snapshot.names()).isEqualTo(run.session.tensors().keySet());
        assertThat(snapshot.numbers().step()).isOne();
        assertThat(snapshot.numbers().examplesSeen()).isEqualTo(6);
        assertThat(snapshot.numbers().gradNorm()).isPositive();
        assertThat(snapshot.numbers().sinceReport().examples()).isEqualTo(6);
      }
    }
  }

  /** In bfloat16 the products' matrices are copies of the weights, which must follow. */
  @Test
  void weightsThatAreReplacedAreThoseThatTheModelComputesWith() {
    for (Kind kind : List.of(Kind.FULL, Kind.LD_DPO_IN_BF16)) {
      try (Run run = new Run(kind)) {
        LogProbTable before = table(run.policy);
        try (TrainingSnapshot start = run.session.snapshot()) {
          run.advance(4);
          assertThat(table(run.policy).chosen(0)).isNotEqualTo(before.chosen(0));
          run.session.replaceWeights(start);
        }
        assertThat(table(run.policy).chosen(0)).isEqualTo(before.chosen(0));
        assertThat(run.session.step()).isEqualTo(2);
      }
    }
  }

  private static LogProbTable table(CausalLm model) {
    return LogProbTable.compute(
        LogProbEngine.cpu(), model, PAIRS.subList(0, 2), LengthDesensitizing.NONE, 2, done -> {});
  }

  @Test
  void aComputationNamesItsNumberTypeAndWhatItKeeps() {
    Computation plain = Computation.PLAIN;
    Computation small = new Computation(true, true, LogProbEngine.cpu());
    assertThat(plain.products()).isEqualTo("float32");
    assertThat(small.products()).isEqualTo("bfloat16");
    assertThat(plain.purpose()).isEqualTo(LogProbEngine.Purpose.TRAINING);
    assertThat(small.purpose()).isEqualTo(LogProbEngine.Purpose.CHECKPOINTED_TRAINING);
  }
}
