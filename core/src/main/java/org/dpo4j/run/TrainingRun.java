package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dpo4j.Cancellation;
import org.dpo4j.UsageException;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.EvalStrategy;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.loss.Objective;
import org.dpo4j.model.CausalLm;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.Reference;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.report.RunOutput;
import org.dpo4j.torch.Engine;
import org.dpo4j.train.Evaluation;
import org.dpo4j.train.Listeners;
import org.dpo4j.train.PreferenceData;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingSession;

/**
 * The line, written once: pairs and a checkpoint in, a tuned checkpoint out. The only place that
 * plugs the rooms together.
 */
public final class TrainingRun {

  private final TrainingConfig config;
  private final RunOutput output;
  private final DiskSpace disk;
  private final ProgramInputs given;

  private TrainingRun(
      TrainingConfig config, ProgramInputs given, RunOutput output, DiskSpace disk) {
    this.config = config;
    this.given = given;
    this.output = output;
    this.disk = disk;
  }

  /**
   * Trains, and publishes the output folder when all is done; a failure leaves nothing behind but
   * what the reference cache holds by then.
   *
   * @throws UsageException if options contradict the inputs
   * @throws org.dpo4j.DpoException if an input cannot be used or the training fails
   */
  public static void run(TrainingConfig config, RunOutput output) {
    run(config, ProgramInputs.NONE, output);
  }

  /** {@link #run(TrainingConfig, RunOutput)} with inputs from a program. */
  public static void run(TrainingConfig config, ProgramInputs given, RunOutput output) {
    new TrainingRun(config, given, output, DiskSpace.OF_MACHINE).run();
  }

  /** The same on another disk, for tests. */
  static void run(TrainingConfig config, RunOutput output, DiskSpace disk) {
    new TrainingRun(config, ProgramInputs.NONE, output, disk).run();
  }

  private void run() {
    config.checkFolders();
    DataInput training = given.training(config);
    Optional<DataInput> heldOut = given.heldOut(config);
    try (Engine.Threads threads = Engine.use(config.engine().threads());
        OutputFolder folder =
            OutputFolder.prepare(
                config.output().outputDir(),
                config.output().overwriteOutputDir(),
                inputs(config, training, heldOut));
        InterruptedOutput interruption =
            InterruptedOutput.watch(
                output,
                config.trainsAdapter() ? "adapter" : "model",
                folder,
                config.output().outputDir());
        ModelBundle inputs =
            ModelBundle.open(
                config.model().model(),
                given.textSide(),
                loaded -> TrainedAdapter.of(config, loaded, output),
                output);
        TrainingPairs pairs =
            TrainingPairs.load(
                config,
                training,
                heldOut,
                inputs.encoder(config.data().maxLength()),
                folder.pending());
        Saving saving = new Saving(config.output().saveDtype(), inputs)) {
      Trainer.Settings settings = settings(pairs.training().pairs().size());
      TrainingReport report = new TrainingReport(config, settings, output);
      Optional<ReferenceFiles> files = References.files(config, inputs.loaded().checkpoint());
      report.header(inputs, pairs, files, saving);
      saving
          .disk()
          .training(config, pairs, settings.maxSteps() / settings.loggingSteps())
          .require(config.output().outputDir(), disk, pairs.bytes());

      SampleAnswers samples = new SampleAnswers(config, inputs, given.textSide(), pairs, output);

      long started = System.nanoTime();
      CausalLm policy = inputs.model();
      Objective objective = config.loss().objective();
      List<PreferenceData> data =
          new References(config, files, output.progress(), report::referenceCache)
              .of(inputs, pairs.datasets());
      try (Reference reference = data.get(0).reference()) { // null closes nothing
        report.referenceDone((System.nanoTime() - started) / 1e9);
        Evaluation evaluation =
            pairs.heldOut().isEmpty() ? null : evaluation(data.get(1), settings);
        inputs.tokenizer().close(); // tens of megabytes that nothing needs any more
        Engine.releaseFreeMemory();
        TrainingSession session = new TrainingSession(policy, data.get(0), objective, settings);
        Trainer trainer =
            new Trainer(session, evaluation, new Listeners(List.of(report), new Cancellation()));
        try (session) {
          trainer.train();
        }
        saving.finish(output);
        trainer.evaluate();
        report.trainingDone((System.nanoTime() - started) / 1e9);
      }

      pairs.close(); // their disk space is needed now
      report.write(folder, inputs, saving, samples.after());
      folder.publish();
      report.published();
    }
  }

  private Trainer.Settings settings(int pairs) {
    EpochPlan plan =
        config.epochPlan(
            pairs,
            config.batching().perDeviceTrainBatchSize(),
            config.batching().gradientAccumulationSteps());
    TrainingConfig.Schedule schedule = config.schedule();
    int maxSteps = config.steps(plan);
    TrainingConfig.Optimizer optimizer = config.optimizer();
    return new Trainer.Settings(
        plan,
        maxSteps,
        new LearningRateSchedule(
            optimizer.learningRate(),
            schedule.lrSchedulerType().shape(),
            schedule.warmup(maxSteps),
            maxSteps),
        optimizer.adamW(),
        optimizer.maxGradNorm(),
        config.output().loggingSteps().steps(maxSteps),
        config.engine().computation(),
        config.startsAtReference());
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

  /** Files and folders that a run reads. */
  static List<Path> inputs(TrainingConfig config) {
    return inputs(config, config.data().training(), config.data().heldOut());
  }

  private static List<Path> inputs(
      TrainingConfig config, DataInput training, Optional<DataInput> heldOut) {
    List<Path> inputs = new ArrayList<>(List.of(config.model().model()));
    inputs.addAll(DataInputs.files(training));
    heldOut.ifPresent(input -> inputs.addAll(DataInputs.files(input)));
    config.loss().refModel().ifPresent(inputs::add);
    config.model().adapter().ifPresent(inputs::add);
    return inputs;
  }
}
