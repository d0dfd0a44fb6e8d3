package org.dpo4j.train;

import java.util.ArrayList;
import java.util.List;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.PrecomputedReference;

/** A run of the trainer with what matters to a test, and what it reported. */
final class SmallRun {

  PreferenceLoss loss = new SigmoidLoss(0.1);
  private final List<EncodedExample> pairs;
  EpochPlan plan;
  int steps = 6;
  double learningRate = 1e-3;
  double epsilon = 1e-8;
  double maxGradNorm = 1;
  int skipLimit = 0;
  boolean startsAtReference = true;

  SmallRun(List<EncodedExample> pairs) {
    this.pairs = pairs;
    plan = new EpochPlan(pairs.size(), 4, 1, EpochPlan.Order.FILE, 0);
  }

  /** The pairs with what a model says of them. */
  TrainingData data(CausalLm reference) {
    return new TrainingData(
        pairs,
        new PrecomputedReference(
            LogProbTable.compute(LogProbEngine.cpu(), reference, pairs, 4, done -> {})));
  }

  List<StepReport> train(CausalLm policy, CausalLm reference) {
    List<StepReport> reports = new ArrayList<>();
    train(
        policy,
        reference,
        new TrainingListener() {
          @Override
          public void onReport(StepReport report, TrainingControl control) {
            reports.add(report);
          }
        });
    return reports;
  }

  void train(CausalLm policy, CausalLm reference, TrainingListener listener) {
    Trainer.Settings settings =
        new Trainer.Settings(
            plan,
            steps,
            LearningRateSchedule.constant(learningRate),
            new AdamW.Settings(0.9, 0.999, epsilon, 0.01),
            maxGradNorm,
            skipLimit,
            1,
            Computation.PLAIN,
            startsAtReference);
    try (TrainingSession session =
        new TrainingSession(policy, data(reference), Objective.of(loss), settings)) {
      new Trainer(session, listener).train();
    }
  }
}
