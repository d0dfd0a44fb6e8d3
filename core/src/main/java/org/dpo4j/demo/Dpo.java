package org.dpo4j.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.loss.Objective;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.train.Computation;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingData;
import org.dpo4j.train.TrainingSession;

/**
 * Direct Preference Optimization as a textbook has it: plain numbers in, plain numbers out.
 * Rafailov et al. 2023, arXiv 2305.18290. Training runs on the trainer, losses and optimizer of
 * {@code dpo4j train}.
 */
public final class Dpo {

  private static final InstructionTokenizer TOKENIZER = new InstructionTokenizer();

  private Dpo() {}

  /**
   * The log-probability of a completion given a prompt: the sum over the completion's tokens, with
   * the prompt masked. An empty completion has log-probability 0. The prompt loses its first tokens
   * where both together exceed the context.
   *
   * @param prompt token ids, for example of {@link InstructionTokenizer#encodePrompt}
   * @param completion token ids, for example of {@link InstructionTokenizer#encodeCompletion}
   * @return in nats, at most 0
   * @throws org.dpo4j.DpoException if an id is out of range or the completion exceeds the context
   */
  public static double sequenceLogProb(TinyGpt model, int[] prompt, int[] completion) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return SequenceLogProbs.sequenceLogProb(model.model(), prompt, completion).item_double();
    }
  }

  /**
   * {@link #sequenceLogProb(TinyGpt, int[], int[])} of texts, encoded by the exercise's tokenizer.
   */
  public static double sequenceLogProb(TinyGpt model, String prompt, String completion) {
    return sequenceLogProb(
        model, TOKENIZER.encodePrompt(prompt), TOKENIZER.encodeCompletion(completion));
  }

  /**
   * The length-normalized log-probability: {@link #sequenceLogProb} divided by the number of
   * completion tokens.
   *
   * @param completion at least one token id
   * @return in nats per token
   */
  public static double meanLogProb(TinyGpt model, int[] prompt, int[] completion) {
    if (completion.length == 0) {
      throw new IllegalArgumentException("the completion must have at least one token");
    }
    return sequenceLogProb(model, prompt, completion) / completion.length;
  }

  /**
   * The DPO loss of one pair: -log sigmoid(z) with z = beta ((policyChosen - referenceChosen) -
   * (policyRejected - referenceRejected)). Rafailov et al. 2023, Eq. 7. {@link
   * org.dpo4j.loss.DpoLoss#dpoLoss} computes the same on tensors that carry gradients.
   *
   * @param policyChosen log pi(y_w given x), in nats
   * @param policyRejected log pi(y_l given x), in nats
   * @param referenceChosen log ref(y_w given x), in nats
   * @param referenceRejected log ref(y_l given x), in nats
   * @param beta strength of the tie to the reference, positive
   */
  public static PairLoss dpoLoss(
      double policyChosen,
      double policyRejected,
      double referenceChosen,
      double referenceRejected,
      double beta) {
    if (!(beta > 0)) { // refuses NaN too
      throw new IllegalArgumentException("beta must be positive but was " + beta);
    }
    double chosenLogRatio = policyChosen - referenceChosen;
    double rejectedLogRatio = policyRejected - referenceRejected;
    double margin = chosenLogRatio - rejectedLogRatio;
    double z = beta * margin;
    // log(1 + e^-z) without overflow where z is far below 0.
    double loss = Math.max(-z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
    return new PairLoss(
        loss,
        beta * chosenLogRatio,
        beta * rejectedLogRatio,
        margin,
        z,
        -beta / (1 + Math.exp(z))); // 1 - sigmoid(z) = 1 / (1 + e^z)
  }

  /**
   * Trains the policy with Adam on the triples, in their order.
   *
   * @param policy changed in place
   * @param reference not changed; the same size as the policy or smaller
   */
  public static DpoReport trainDpo(
      TinyGpt policy, TinyGpt reference, List<PreferenceTriple> triples, DpoSettings settings) {
    return trainDpo(policy, reference, triples, settings, step -> {});
  }

  /**
   * The same, with a consumer that gets each pass when it is done, on the calling thread.
   *
   * @param policy changed in place
   * @param reference not changed
   */
  public static DpoReport trainDpo(
      TinyGpt policy,
      TinyGpt reference,
      List<PreferenceTriple> triples,
      DpoSettings settings,
      Consumer<DpoReport.Step> onStep) {
    List<DpoReport.Step> steps = new ArrayList<>();
    MarginTable initial = evaluateMargins(policy, triples);
    train(
        policy,
        reference,
        triples,
        settings,
        new TrainingListener() {
          @Override
          public void onReport(StepReport report, TrainingControl control) {
            DpoReport.Step step =
                new DpoReport.Step(
                    steps.size() + 1,
                    report.metrics().loss(),
                    report.metrics().logpsChosen(),
                    report.metrics().logpsRejected(),
                    report.metrics().rewardsMargins());
            steps.add(step);
            onStep.accept(step);
          }
        });
    return new DpoReport(steps, initial, evaluateMargins(policy, triples));
  }

  /** Trains and reports to a listener, once per pass. */
  static void train(
      TinyGpt policy,
      TinyGpt reference,
      List<PreferenceTriple> triples,
      DpoSettings settings,
      TrainingListener listener) {
    List<EncodedExample> pairs = TripleEncoder.encode(triples);
    Trainer.Settings trainer =
        settings(
            plan(pairs.size(), settings.batchSize()),
            settings.passes(),
            settings.learningRate(),
            policy.sameWeightsAs(reference));
    try (TrainingSession session =
        new TrainingSession(
            policy.model(), data(reference, pairs), Objective.of(settings.loss()), trainer)) {
      new Trainer(session, listener).train();
    }
  }

  /** The pairs with their log-probabilities under the reference. */
  static TrainingData data(TinyGpt reference, List<EncodedExample> pairs) {
    return new TrainingData(pairs, new PrecomputedReference(logProbs(reference, pairs)));
  }

  /** Steps in the order of the examples. */
  static EpochPlan plan(int examples, int batchSize) {
    return new EpochPlan(examples, batchSize, 1, EpochPlan.Order.FILE, 0);
  }

  /** Adam at a constant learning rate, with a report of each pass. */
  static Trainer.Settings settings(
      EpochPlan plan, int passes, double learningRate, boolean startsAtReference) {
    return new Trainer.Settings(
        plan,
        passes * plan.stepsPerEpoch(),
        LearningRateSchedule.constant(learningRate),
        AdamW.Settings.ADAM,
        0,
        0,
        plan.stepsPerEpoch(),
        Computation.PLAIN,
        startsAtReference);
  }

  /** Scores both answers of each triple, without changing the model. */
  public static MarginTable evaluateMargins(TinyGpt model, List<PreferenceTriple> triples) {
    LogProbTable table = logProbs(model, TripleEncoder.encode(triples));
    List<MarginTable.Row> rows = new ArrayList<>();
    for (int i = 0; i < triples.size(); i++) {
      rows.add(new MarginTable.Row(triples.get(i), table.chosen(i), table.rejected(i)));
    }
    return new MarginTable(rows);
  }

  private static LogProbTable logProbs(TinyGpt model, List<EncodedExample> pairs) {
    return LogProbTable.compute(
        LogProbEngine.cpu(), model.model(), pairs, pairs.size(), done -> {});
  }
}
