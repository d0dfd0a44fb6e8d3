package org.dpo4j.demo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.RandomParameters;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.train.Computation;
import org.dpo4j.train.PreferenceData;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingListener;

/**
 * The textbook exercise on the product's own parts: a TinyGPT from random numbers, a short warm-up
 * on prompts with their chosen completions, and DPO on the twelve triples.
 */
public final class DemoTraining {

  static final double WARMUP_LEARNING_RATE = 3e-3;
  static final int WARMUP_EPOCHS = 8;
  static final int DISTILL_EPOCHS = 24;

  private DemoTraining() {}

  /** The twelve triples as token ids. */
  public static List<EncodedPair> pairs() {
    return TripleEncoder.encode(DemoTriples.all());
  }

  /** A model with the weights that PyTorch would draw after {@code torch.manual_seed}. */
  public static TinyGpt untrained(RandomNumbers random) {
    return new TinyGpt(TinyGptConfig.DEMO, new RandomParameters(ElementType.F32, random));
  }

  /** Trains on prompt and chosen completion, every position; returns the loss of each epoch. */
  public static List<Double> warmUp(CausalLm model) {
    List<int[]> sequences =
        pairs().stream().map(pair -> joined(pair.promptIds(), pair.chosenIds())).toList();
    return LanguageModeling.warmUp(model, sequences, WARMUP_LEARNING_RATE, WARMUP_EPOCHS);
  }

  /** A smaller model taught by the warmed-up one; adds the loss of each epoch to {@code losses}. */
  public static TinyGpt distilled(CausalLm teacher, RandomNumbers random, List<Double> losses) {
    TinyGpt student =
        new TinyGpt(TinyGptConfig.DISTILLED, new RandomParameters(ElementType.F32, random));
    List<int[]> sequences = new ArrayList<>();
    for (EncodedPair pair : pairs()) {
      sequences.add(joined(pair.promptIds(), pair.chosenIds()));
      sequences.add(joined(pair.promptIds(), pair.rejectedIds()));
    }
    losses.addAll(
        LanguageModeling.distill(
            teacher, student, sequences, WARMUP_LEARNING_RATE, DISTILL_EPOCHS));
    return student;
  }

  /** Log-probabilities of the triples, and with them the margins. */
  public static LogProbTable evaluateMargins(CausalLm model, List<EncodedPair> pairs) {
    return LogProbTable.compute(model, pairs, pairs.size(), done -> {});
  }

  /**
   * Trains a policy with Adam, a report for each pass over the pairs.
   *
   * @param policy changed in place
   * @param reference frozen; only its log-probabilities are used
   * @param passes over the pairs
   * @param batchSize pairs of a step
   */
  public static void trainDpo(
      CausalLm policy,
      CausalLm reference,
      List<EncodedPair> pairs,
      PreferenceLoss loss,
      int passes,
      int batchSize,
      double learningRate,
      boolean startsAtReference,
      TrainingListener listener) {
    EpochPlan plan = plan(pairs.size(), batchSize);
    Trainer.Settings settings =
        new Trainer.Settings(
            plan,
            passes * plan.stepsPerEpoch(),
            LearningRateSchedule.constant(learningRate),
            AdamW.Settings.ADAM,
            0,
            plan.stepsPerEpoch(),
            Computation.PLAIN,
            startsAtReference);
    PreferenceData data =
        new PreferenceData(pairs, new PrecomputedReference(evaluateMargins(reference, pairs)));
    new Trainer(policy, Objective.of(loss), settings, listener).train(data, null);
  }

  /** Steps in the order of the pairs. */
  static EpochPlan plan(int pairs, int batchSize) {
    return new EpochPlan(pairs, batchSize, 1, false, 0);
  }

  private static int[] joined(int[] prompt, int[] completion) {
    return IntStream.concat(Arrays.stream(prompt), Arrays.stream(completion)).toArray();
  }
}
