package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.util.ArrayList;
import java.util.List;
import org.dpo4j.ExampleKind;
import org.dpo4j.StartCheck;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.loss.ApoZeroUnpairedLoss;
import org.dpo4j.loss.KtoLoss;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.UnpairedLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.torch.ElementType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Closes: a label, a weight or a KL estimate that belongs to another example, and metrics of
 * labelled completions that are divided by the number of all.
 *
 * <p>Seven examples, every third undesirable, each with the next one's completion as its mismatched
 * one and a weight of its own.
 */
class LabelledExamplesTest {

  private static final double BETA = 0.7;
  private static final KtoLoss KTO = new KtoLoss(BETA, 1.5, 0.5);
  private static final List<EncodedExample> EXAMPLES = examples();

  private final CausalLm one = SmallModel.LLAMA.create(ElementType.F64, 3);
  private final CausalLm other = SmallModel.LLAMA.create(ElementType.F64, 4);

  @AfterEach
  void close() {
    one.close();
    other.close();
  }

  private static List<EncodedExample> examples() {
    List<EncodedExample> pairs = SmallPairs.random(7, 5);
    List<EncodedExample> examples = new ArrayList<>();
    for (int i = 0; i < pairs.size(); i++) {
      EncodedExample pair = pairs.get(i);
      examples.add(
          new EncodedExample(
              pair.origin(),
              pair.promptIds(),
              List.of(
                  new EncodedCompletion(
                      i % 3 == 2 ? CompletionRole.REJECTED : CompletionRole.CHOSEN,
                      pair.chosenIds()),
                  new EncodedCompletion(
                      CompletionRole.MISMATCHED, pairs.get((i + 1) % 7).chosenIds())),
              RowNumbers.ofWeight(1 + i % 2)));
    }
    return examples;
  }

  private static LogProbTable table(CausalLm model) {
    return LogProbTable.compute(LogProbEngine.cpu(), model, EXAMPLES, 4, done -> {});
  }

  private static TrainingMetrics evaluate(
      UnpairedLoss loss, CausalLm policy, CausalLm reference, int batchSize) {
    return new TrainingData(EXAMPLES, new PrecomputedReference(table(reference)))
        .evaluate(LogProbEngine.cpu(), policy, Objective.of(loss), batchSize);
  }

  /** The mean log-ratio of the mismatched completions of some examples, at least 0. */
  private static double kl(LogProbTable policy, LogProbTable reference, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += policy.at(i, 1) - reference.at(i, 1);
    }
    return Math.max(0, sum / (to - from));
  }

  /** lambda (1 - sigmoid(+-beta (ratio - KL))), weighted; KL is that of the micro-batch. */
  private static void assertMeans(
      TrainingMetrics found, LogProbTable policy, LogProbTable reference, int batchSize) {
    double loss = 0;
    double weights = 0;
    double kl = 0;
    double[] rewards = new double[2];
    double[] logProbs = new double[2];
    int[] count = new int[2];
    for (int i = 0; i < 7; i++) {
      int from = i - i % batchSize;
      double klOfBatch = kl(policy, reference, from, Math.min(7, from + batchSize));
      boolean desirable = i % 3 != 2;
      double ratio = policy.at(i, 0) - reference.at(i, 0);
      double weight = 1 + i % 2;
      loss +=
          weight
              * (desirable ? 1.5 : 0.5)
              / (1 + Math.exp((desirable ? BETA : -BETA) * (ratio - klOfBatch)));
      weights += weight;
      kl += klOfBatch / 7;
      int label = desirable ? 0 : 1;
      rewards[label] += BETA * ratio;
      logProbs[label] += policy.at(i, 0);
      count[label]++;
    }
    assertThat(found.kind()).isEqualTo(ExampleKind.LABELED);
    assertThat(found.loss()).usingComparator(relative(1e-9)).isEqualTo(loss / weights);
    assertThat(found.kl()).usingComparator(relative(1e-9)).isEqualTo(kl);
    // Rewards are computed in 32 bits.
    assertThat(found.rewardsChosen())
        .usingComparator(relative(1e-5))
        .isEqualTo(rewards[0] / count[0]);
    assertThat(found.rewardsRejected())
        .usingComparator(relative(1e-5))
        .isEqualTo(rewards[1] / count[1]);
    assertThat(found.rewardsMargins()).isEqualTo(found.rewardsChosen() - found.rewardsRejected());
    assertThat(found.logpsChosen())
        .usingComparator(relative(1e-9))
        .isEqualTo(logProbs[0] / count[0]);
    assertThat(found.logpsRejected())
        .usingComparator(relative(1e-9))
        .isEqualTo(logProbs[1] / count[1]);
    assertThat(found.rewardsAccuracies()).isNaN();
  }

  @Test
  void lossAndRewardsAreThoseOfTheFormulaWithTheKlOfTheMicroBatch() {
    LogProbTable first = table(one);
    LogProbTable second = table(other);
    // Of one direction the estimate is above 0, of the other it is cut off at 0.
    assertThat(kl(first, second, 0, 7) == 0).isNotEqualTo(kl(second, first, 0, 7) == 0);
    for (int batchSize : new int[] {2, 3, 7}) {
      assertMeans(evaluate(KTO, one, other, batchSize), first, second, batchSize);
      assertMeans(evaluate(KTO, other, one, batchSize), second, first, batchSize);
    }
  }

  @Test
  void aLossWithoutKlEstimatesNone() {
    UnpairedLoss loss = new ApoZeroUnpairedLoss(BETA, 1.5, 0.5);
    assertThat(evaluate(loss, one, other, 3).kl()).isZero();
    assertThat(evaluate(loss, other, one, 3).kl()).isZero();
    assertThat(
            KlEstimate.of(
                LogProbEngine.cpu(),
                one,
                Objective.of(KTO),
                null,
                new TrainingData(EXAMPLES, null).read(0, 1)))
        .isZero();
  }

  /** Statistics of a completion are those of its own tokens. */
  @Test
  void tokenStatisticsAreThoseOfTheLabel() {
    EncodedExample desirable = EXAMPLES.get(0);
    EncodedExample undesirable = EXAMPLES.get(2);
    TrainingMetrics both = statistics(desirable, undesirable);
    TrainingMetrics first = statistics(desirable);
    TrainingMetrics second = statistics(undesirable);
    int tokens = desirable.completions().get(0).ids().length;
    int others = undesirable.completions().get(0).ids().length;
    assertThat(both.logitsChosen()).usingComparator(relative(1e-9)).isEqualTo(first.logitsChosen());
    assertThat(both.logitsRejected())
        .usingComparator(relative(1e-9))
        .isEqualTo(second.logitsRejected());
    assertThat(both.meanTokenAccuracy()).isEqualTo(first.meanTokenAccuracy());
    assertThat(both.entropy())
        .usingComparator(relative(1e-9))
        .isEqualTo((tokens * first.entropy() + others * second.entropy()) / (tokens + others));
    assertThat(first.logitsRejected()).isNaN();
    assertThat(second.logitsChosen()).isNaN();
    assertThat(second.meanTokenAccuracy()).isNaN();
  }

  private TrainingMetrics statistics(EncodedExample... examples) {
    List<EncodedExample> all = List.of(examples);
    LogProbTable table = LogProbTable.compute(LogProbEngine.cpu(), other, all, 4, done -> {});
    return new TrainingData(all, new PrecomputedReference(table))
        .evaluate(LogProbEngine.cpu(), one, Objective.of(KTO), 4);
  }

  /** Two micro-batches of 4 and 3 a step; policy and reference are one model, so the KL is 0. */
  @Test
  void aStepTrainsOnOwnCompletionsAndReportsTheLabels() {
    List<StepReport> steps = new ArrayList<>();
    List<StartCheck> checks = new ArrayList<>();
    double[] before = SmallModel.weights(one);
    try (CausalLm policy = one.copy();
        TrainingSession session =
            session(policy, new KtoLoss(BETA, 1, 1), new PrecomputedReference(table(one)))) {
      new Trainer(
              session,
              new TrainingListener() {
                @Override
                public void onStep(StepReport step, TrainingControl control) {
                  steps.add(step);
                }

                @Override
                public void onStartCheck(StartCheck check) {
                  checks.add(check);
                }
              })
          .train();
      assertThat(SmallModel.weights(policy)).isNotEqualTo(before);
      LogProbTable trained = table(policy);
      LogProbTable reference = table(one);
      for (int i = 0; i < 7; i++) {
        double moved = trained.at(i, 0) - reference.at(i, 0);
        assertThat(i % 3 == 2 ? -moved : moved).as("example %d", i).isPositive();
      }
    }
    assertThat(checks)
        .singleElement()
        .satisfies(
            check -> {
              assertThat(check.expected()).isEqualTo(0.5);
              assertThat(check.measured()).usingComparator(relative(1e-6)).isEqualTo(0.5);
              assertThat(check.largestLogRatio()).isLessThan(1e-5);
            });
    assertThat(steps).hasSize(8);
    assertThat(steps.get(0).examples()).isEqualTo(7);
    assertThat(steps.get(0).metrics().loss()).usingComparator(relative(1e-6)).isEqualTo(0.5);
    assertThat(steps.get(7).metrics().loss()).isLessThan(0.45);
    assertThat(steps.get(7).metrics().rewardsMargins()).isPositive();
    assertThat(steps.get(0).numTokens())
        .isEqualTo(EXAMPLES.stream().mapToInt(example -> example.trained().tokens()).sum());
  }

  private static TrainingSession session(
      CausalLm policy, UnpairedLoss loss, PrecomputedReference reference) {
    return new TrainingSession(
        policy,
        new TrainingData(EXAMPLES, reference),
        Objective.of(loss),
        new Trainer.Settings(
            new EpochPlan(EXAMPLES.size(), 4, 2, EpochPlan.Order.FILE, 1),
            8,
            LearningRateSchedule.constant(3e-3),
            AdamW.Settings.ADAM,
            1,
            0,
            1,
            Computation.PLAIN,
            true));
  }
}
