package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dpo4j.UsageException;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.encode.PairDataset;
import org.dpo4j.encode.PairEncoder;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.loss.Objective;
import org.dpo4j.model.CausalLm;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.MovingReference;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.reference.Reference;
import org.dpo4j.torch.Engine;
import org.dpo4j.train.Evaluation;
import org.dpo4j.train.PreferenceData;
import org.dpo4j.train.Trainer;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;

/**
 * The line, written once: pairs and a checkpoint in, a tuned checkpoint out. The only place that
 * plugs the rooms together.
 */
public final class TrainingRun {

  private final TrainingConfig config;
  private final RunOutput output;

  private TrainingRun(TrainingConfig config, RunOutput output) {
    this.config = config;
    this.output = output;
  }

  /**
   * Trains, and publishes the output folder when all is done; a failure leaves nothing behind.
   *
   * @throws UsageException if options contradict the inputs
   * @throws org.dpo4j.DpoException if an input cannot be used or the training fails
   */
  public static void run(TrainingConfig config, RunOutput output) {
    new TrainingRun(config, output).run();
  }

  private void run() {
    config.checkInputs();
    try (OutputFolder folder =
            OutputFolder.prepare(
                config.output().outputDir(), config.output().overwriteOutputDir(), inputs());
        ShutdownHook hook = ShutdownHook.closing(folder);
        LoadedInputs inputs = LoadedInputs.open(config.model().model())) {
      Engine.setThreads(config.engine().threads());
      PairEncoder encoder = inputs.encoder(config.data().maxLength());
      PairDataset train = load(config.data().dataFile(), encoder);
      Optional<PairDataset> held = config.data().evalFile().map(file -> load(file, encoder));
      Trainer.Settings settings = settings(train.pairs().size());
      TrainingReport report = new TrainingReport(config, settings, output);
      report.header(inputs, train, held);

      long started = System.nanoTime();
      CausalLm policy = inputs.model();
      Objective objective = config.loss().objective();
      List<PreferenceData> data = withReference(policy, objective, train, held);
      try (Reference reference = data.get(0).reference()) { // null closes nothing
        report.referenceDone((System.nanoTime() - started) / 1e9);
        Evaluation evaluation = held.isEmpty() ? null : evaluation(data.get(1), settings);
        new Trainer(policy, objective, settings, report).train(data.get(0), evaluation);
        report.trainingDone((System.nanoTime() - started) / 1e9);
      }

      report.write(folder, inputs.loaded());
      folder.publish();
      report.published(folder.target());
    }
  }

  /** The pairs with their reference, which is made while no weight has moved. */
  private List<PreferenceData> withReference(
      CausalLm policy, Objective objective, PairDataset train, Optional<PairDataset> held) {
    List<PairDataset> datasets = new ArrayList<>(List.of(train));
    held.ifPresent(datasets::add);
    if (config.loss().referenceChoice() == ReferenceChoice.NONE) {
      return datasets.stream().map(dataset -> new PreferenceData(dataset.pairs(), null)).toList();
    }
    if (config.loss().refModel().isEmpty()) {
      return withReference(policy, policy, objective, datasets);
    }
    try (LoadedModel other = ModelReader.open("--ref_model", config.loss().refModel().get())) {
      if (other.model().vocabSize() < policy.vocabSize()) {
        throw new UsageException(
            "--ref_model must know the model's vocabulary of %d tokens but knows %d; both need one"
                    .formatted(policy.vocabSize(), other.model().vocabSize())
                + " tokenizer");
      }
      return withReference(other.model(), policy, objective, datasets);
    }
  }

  private List<PreferenceData> withReference(
      CausalLm model, CausalLm policy, Objective objective, List<PairDataset> datasets) {
    if (!config.loss().syncRefModel()) {
      return datasets.stream().map(dataset -> precomputed(model, objective, dataset)).toList();
    }
    if (!model.parameters().sameShapes(policy.parameters())) {
      throw new UsageException(
          "--sync_ref_model mixes weights and needs a --ref_model with the weights of --model, by"
              + " name and shape, but they differ; leave out one of the options");
    }
    Reference moving =
        new MovingReference(
            model.copy(),
            new MovingReference.Pace(
                config.loss().refModelMixupAlpha(), config.loss().refModelSyncSteps()),
            objective.tail());
    return datasets.stream().map(dataset -> new PreferenceData(dataset.pairs(), moving)).toList();
  }

  private PreferenceData precomputed(CausalLm model, Objective objective, PairDataset dataset) {
    int pairs = dataset.pairs().size();
    return new PreferenceData(
        dataset.pairs(),
        new PrecomputedReference(
            LogProbTable.compute(
                model,
                dataset.pairs(),
                objective.tail(),
                config.evaluation().perDeviceEvalBatchSize(),
                done -> output.progress().update("reference", done, pairs, ""))));
  }

  private PairDataset load(Path file, PairEncoder encoder) {
    PairDataset dataset =
        PairDataset.load(file, config.data().dataFormat(), encoder, config.data().onBadRow());
    boolean oneWeight =
        dataset.pairs().stream().mapToDouble(EncodedPair::weight).distinct().count() == 1;
    if (!oneWeight && !config.loss().objective().loss().keepsPairs()) {
      throw new UsageException(
          "--loss_type %s sorts the pairs of a micro-batch, so that no pair can weigh more than"
                  .formatted(OptionType.text(config.loss().lossType()))
              + " another, but the weights in %s differ; leave out the column or change the loss"
                  .formatted(file));
    }
    return dataset;
  }

  private Trainer.Settings settings(int pairs) {
    EpochPlan plan =
        new EpochPlan(
            pairs,
            config.batching().perDeviceTrainBatchSize(),
            config.batching().gradientAccumulationSteps(),
            config.data().shuffle(),
            config.engine().seed());
    TrainingConfig.Schedule schedule = config.schedule();
    int maxSteps =
        schedule.maxSteps() > 0
            ? schedule.maxSteps()
            : (int) Math.ceil(schedule.numTrainEpochs() * plan.stepsPerEpoch());
    TrainingConfig.Optimizer optimizer = config.optimizer();
    return new Trainer.Settings(
        plan,
        maxSteps,
        new LearningRateSchedule(
            optimizer.learningRate(),
            schedule.lrSchedulerType().shape(),
            schedule.warmup(maxSteps),
            maxSteps),
        new AdamW.Settings(
            optimizer.adamBeta1(),
            optimizer.adamBeta2(),
            optimizer.adamEpsilon(),
            optimizer.weightDecay()),
        optimizer.maxGradNorm(),
        config.output().loggingSteps().steps(maxSteps),
        config.loss().refModel().isEmpty()
            && config.loss().referenceChoice() == ReferenceChoice.START);
  }

  private Evaluation evaluation(PreferenceData held, Trainer.Settings settings) {
    EvalStrategy strategy = config.evaluation().evalStrategy();
    int everySteps =
        strategy == EvalStrategy.STEPS ? config.evalInterval().steps(settings.maxSteps()) : 0;
    return new Evaluation(
        held,
        config.evaluation().perDeviceEvalBatchSize(),
        everySteps,
        strategy == EvalStrategy.EPOCH);
  }

  private List<Path> inputs() {
    List<Path> inputs = new ArrayList<>(List.of(config.model().model(), config.data().dataFile()));
    config.data().evalFile().ifPresent(inputs::add);
    config.loss().refModel().ifPresent(inputs::add);
    return inputs;
  }
}
