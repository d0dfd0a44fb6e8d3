package org.dpo4j.train;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import org.dpo4j.DpoException;
import org.dpo4j.EvaluationReport;
import org.dpo4j.Interruption;
import org.dpo4j.OptionText;
import org.dpo4j.PairMetrics;
import org.dpo4j.StartCheck;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingListener;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.loss.Objective;
import org.dpo4j.model.CausalLm;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.WorkerPool;
import org.jspecify.annotations.Nullable;

/** Trains a policy on preference pairs. */
public final class Trainer {

  /**
   * What decides a run besides data, policy and loss.
   *
   * @param plan which pairs form which step
   * @param maxSteps steps in all
   * @param schedule learning rate of each step
   * @param adamW constants of the optimizer
   * @param maxGradNorm gradients above this norm are scaled down; 0 for never
   * @param loggingSteps steps that a report covers; the last one may cover fewer
   * @param computation how steps are computed
   * @param startsAtReference whether policy and reference are the same at step 0, which is then
   *     checked where the objective has a value there that no data decides
   */
  public record Settings(
      EpochPlan plan,
      int maxSteps,
      LearningRateSchedule schedule,
      AdamW.Settings adamW,
      double maxGradNorm,
      int loggingSteps,
      Computation computation,
      boolean startsAtReference) {}

  private final CausalLm policy;
  private final Objective objective;
  private final Settings settings;
  private final TrainingListener listener;

  // Of the run under way.
  private int step;
  private double epochs;
  private long numTokens;
  private MetricSums sinceReport = new MetricSums();
  private StepClock clock = new StepClock();
  private final Requests requests = new Requests();

  public Trainer(
      CausalLm policy, Objective objective, Settings settings, TrainingListener listener) {
    this.policy = policy;
    this.objective = objective;
    this.settings = settings;
    this.listener = listener;
  }

  /**
   * Runs all steps, once for each trainer. The policy's weights change; a moving reference hears of
   * every step.
   *
   * @throws DpoException if the first batch contradicts theory or a number stops being finite
   */
  public void train(PreferenceData data, @Nullable Evaluation evaluation) {
    train(data, evaluation, () -> {});
  }

  /**
   * The same, with something to do between the last step and the last evaluation.
   *
   * @param trained may change the policy's weights, which the last evaluation then sees
   * @throws DpoException as {@link #train(PreferenceData, Evaluation)} does
   */
  public void train(PreferenceData data, @Nullable Evaluation evaluation, Runnable trained) {
    if (step > 0) {
      throw new IllegalStateException("a trainer trains once; make a new one");
    }
    try (Engine.Threads threads = Engine.use(Engine.threads())) { // the same to the end
      runSteps(data, evaluation, trained);
    }
  }

  private void runSteps(PreferenceData data, @Nullable Evaluation evaluation, Runnable trained) {
    evaluate(evaluation);
    WorkerPool.get().freeUnused(); // of passes that kept nothing
    try (FlatParameters parameters = FlatParameters.of(policy.trained());
        AdamW optimizer = new AdamW(parameters, settings.adamW())) {
      for (int epoch = 0; !ended(); epoch++) {
        runEpoch(epoch, data, evaluation, parameters, optimizer);
      }
      requireFiniteWeights(parameters);
    }
    trained.run();
    evaluate(evaluation);
  }

  /** The listener's requests for the current step. */
  private void fulfil(@Nullable Evaluation evaluation, boolean evaluated) {
    if (requests.takeEvaluation() && !evaluated) {
      evaluate(evaluation);
      requests.takeEvaluation();
    }
    if (requests.takeCheckpoint()) {
      listener.onCheckpointDue(step);
    }
  }

  private void runEpoch(
      int epoch,
      PreferenceData data,
      @Nullable Evaluation evaluation,
      FlatParameters parameters,
      AdamW optimizer) {
    List<List<int[]>> steps = settings.plan().steps(epoch);
    int microBatches = 0;
    for (int i = 0; i < steps.size() && !ended(); i++) {
      microBatches += steps.get(i).size();
      epochs = epoch + (double) microBatches / settings.plan().microBatchesPerEpoch();
      runStep(data, steps.get(i), parameters, optimizer);
      boolean last = ended(); // evaluated when all is done
      boolean due = evaluation != null && !last && evaluation.due(step, i == steps.size() - 1);
      if (due) {
        evaluate(evaluation);
      }
      fulfil(evaluation, due || last);
    }
  }

  private void runStep(
      PreferenceData data, List<int[]> microBatches, FlatParameters parameters, AdamW optimizer) {
    Interruption.check("before step %d of %d".formatted(step + 1, settings.maxSteps()));
    double[] weights =
        microBatches.stream().flatMapToDouble(i -> Arrays.stream(data.weights(i))).toArray();
    // Before they become 32 bits: only their relations count, whatever their size.
    double unit = Arrays.stream(weights).max().orElseThrow();
    double weight = Arrays.stream(weights).map(each -> each / unit).sum();
    MetricSums sums = new MetricSums();
    clock.start();
    for (int[] indices : pieces(data, microBatches)) {
      try (MicroBatch microBatch =
          new MicroBatch(
              data,
              settings.computation().engine(),
              policy,
              objective,
              indices,
              unit,
              settings.computation().purpose(),
              sums)) {
        if (step == 0 && sums.pairs() == indices.length) {
          checkStart(sums);
        }
        // Not the mean of the micro-batch: micro-batches must sum to the step.
        microBatch.backward(weight);
      }
      for (int index : indices) {
        numTokens += data.pairs().get(index).tokens();
      }
    }
    clock.computed();
    double gradNorm = parameters.gradientNorm();
    requireFinite(data, microBatches, sums.means().loss(), gradNorm);
    double learningRate = settings.schedule().at(step);
    optimizer.step(learningRate, FlatParameters.clip(gradNorm, settings.maxGradNorm()));
    clock.stop();
    if (settings.computation().bf16()) {
      policy.parameters().castTrainedMatrices();
    }
    step++;
    if (data.reference() != null) {
      data.reference().onStep(step, policy);
    }
    sinceReport.add(sums);
    listener.onStep(
        new StepReport(
            step,
            settings.maxSteps(),
            epochs,
            sums.pairs(),
            sums.means(),
            gradNorm,
            learningRate,
            numTokens,
            clock.lastStepSeconds(),
            clock.lastComputeSeconds()),
        requests);
    // The last steps are reported even where they are fewer than loggingSteps.
    if (step % settings.loggingSteps() == 0 || ended()) {
      report(gradNorm, learningRate);
    }
  }

  /** Micro-batches of many tokens in pieces, where that changes no number. */
  private List<int[]> pieces(PreferenceData data, List<int[]> microBatches) {
    return objective.loss().separable()
        ? microBatches.stream()
            .flatMap(indices -> TokenBudget.TRAINING.pieces(data.pairs(), indices).stream())
            .toList()
        : microBatches;
  }

  private boolean ended() {
    return step == settings.maxSteps() || requests.stop();
  }

  private void report(double gradNorm, double learningRate) {
    listener.onReport(
        new StepReport(
            step,
            settings.maxSteps(),
            epochs,
            sinceReport.pairs(),
            sinceReport.means(),
            gradNorm,
            learningRate,
            numTokens,
            clock.stepSeconds(),
            clock.computeSeconds()),
        requests);
    sinceReport = new MetricSums();
    clock = new StepClock();
  }

  private void evaluate(@Nullable Evaluation evaluation) {
    if (evaluation == null) {
      return;
    }
    long started = System.nanoTime();
    PairMetrics metrics =
        evaluation
            .data()
            .evaluate(settings.computation().engine(), policy, objective, evaluation.batchSize());
    listener.onEvaluation(
        new EvaluationReport(
            step,
            epochs,
            metrics,
            evaluation.data().pairs().size(),
            (System.nanoTime() - started) / 1e9),
        requests);
  }

  private void checkStart(MetricSums sums) {
    OptionalDouble expected = objective.valueAtZero();
    if (!settings.startsAtReference() || expected.isEmpty()) {
      return;
    }
    StartCheck check =
        new StartCheck(
            expected.getAsDouble(),
            sums.means().loss(),
            sums.largestReward() / objective.loss().beta(),
            settings.computation().bf16());
    listener.onStartCheck(check);
    if (!check.passed()) {
      throw new DpoException(
          "start check failed: policy and reference are one model, so the "
              + objective.loss().name()
              + " loss must be "
              + check.expected()
              + " but was "
              + check.measured()
              + " (largest log-ratio "
              + check.largestLogRatio()
              + " of a log-probability)"
              + "; nothing was trained. Please report this with the model's config.json");
    }
  }

  /** No forward pass looks at what the last step did, or at the embeddings of unused tokens. */
  private void requireFiniteWeights(FlatParameters parameters) {
    if (!parameters.finite()) {
      throw new DpoException(
          "after step "
              + step
              + OptionText.of(
                  " all weights must be finite but some are not; lower {learning_rate}, or raise"
                      + " {adam_epsilon} if it is 0"));
    }
  }

  private void requireFinite(
      PreferenceData data, List<int[]> microBatches, double meanLoss, double gradNorm) {
    if (Double.isFinite(meanLoss) && Double.isFinite(gradNorm)) {
      return;
    }
    String rows =
        microBatches.stream()
            .flatMapToInt(Arrays::stream)
            .mapToObj(index -> data.pairs().get(index).origin().toString())
            .collect(Collectors.joining(" "));
    throw new DpoException(
        "step "
            + (step + 1)
            + ": loss and gradient norm must be finite but were "
            + meanLoss
            + " and "
            + gradNorm
            + ", on the pairs "
            + rows
            + OptionText.of(
                "; the weights were not changed by this step. Lower {learning_rate}, or look at these"
                    + " rows with inspect"));
  }
}
