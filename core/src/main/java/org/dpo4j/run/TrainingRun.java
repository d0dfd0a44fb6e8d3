package org.dpo4j.run;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.dpo4j.Cancellation;
import org.dpo4j.EndReason;
import org.dpo4j.ListenerException;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.TrainingStart;
import org.dpo4j.UsageException;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.EvalStrategy;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.Reference;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.report.Conclusion;
import org.dpo4j.report.ConsoleListener;
import org.dpo4j.report.EarlyAccuracy;
import org.dpo4j.report.ProgressListener;
import org.dpo4j.report.Results;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.RunSummary;
import org.dpo4j.torch.Engine;
import org.dpo4j.train.Evaluation;
import org.dpo4j.train.Listeners;
import org.dpo4j.train.PreferenceData;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingSession;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelWriter;

/**
 * Trains a model: pairs and a checkpoint are the input, a folder with a tuned checkpoint or an
 * adapter is the output. This class connects the packages; it contains no formula.
 *
 * <p>A run is interrupted with {@link Thread#interrupt}: it then throws and saves nothing. It is
 * cancelled with a {@link Cancellation}, or stopped by a listener: it then completes its step and
 * saves the weights trained until then.
 */
public final class TrainingRun {

  private final TrainingConfig config;
  private final ProgramInputs given;
  private final RunOutput output;
  private final DiskSpace disk;
  private final Prose prose;
  private final RunHistory history = new RunHistory();
  private final EarlyAccuracy early = new EarlyAccuracy();
  private final ConsoleListener console;
  private final Listeners listeners;

  private TrainingRun(
      TrainingConfig config,
      ProgramInputs given,
      RunOutput output,
      DiskSpace disk,
      Cancellation cancellation,
      List<? extends TrainingListener> added) {
    this.config = config;
    this.given = given;
    this.output = output;
    this.disk = disk;
    this.prose = Prose.of(output, config.output().logFormat());
    this.console =
        new ConsoleListener(
            output.out(),
            prose.stream(),
            config.output().logFormat(),
            config.startsAtReference() && config.loss().objective().valueAtZero().isPresent());
    List<TrainingListener> all =
        new ArrayList<>(List.of(history, console, new ProgressListener(output.progress())));
    if (config.startsAtReference()) {
      all.add(early);
    }
    all.addAll(added);
    this.listeners = new Listeners(all, cancellation);
  }

  /** {@link #run(TrainingConfig, ProgramInputs, RunOutput, Cancellation, List)} on files. */
  public static TrainingResult run(
      TrainingConfig config, RunOutput output, TrainingListener... listeners) {
    return run(config, ProgramInputs.NONE, output, new Cancellation(), List.of(listeners));
  }

  /**
   * Trains, and publishes the output folder at the end. If the run fails, the folder is unchanged;
   * the reference cache keeps its new files.
   *
   * @param given inputs that replace files
   * @param output console of the run
   * @param cancellation ends the run from another thread
   * @param listeners receive the run's events after the run's own listeners, in this order
   * @return the result; without files if the run ended before its first step
   * @throws UsageException if options contradict the inputs
   * @throws ListenerException if a listener failed; the weights are then saved
   * @throws org.dpo4j.DpoException if an input cannot be used, the training fails or the thread is
   *     interrupted
   */
  public static TrainingResult run(
      TrainingConfig config,
      ProgramInputs given,
      RunOutput output,
      Cancellation cancellation,
      List<? extends TrainingListener> listeners) {
    return new TrainingRun(config, given, output, DiskSpace.OF_MACHINE, cancellation, listeners)
        .run();
  }

  /** A run on another disk, for tests. */
  static TrainingResult run(TrainingConfig config, RunOutput output, DiskSpace disk) {
    return new TrainingRun(config, ProgramInputs.NONE, output, disk, new Cancellation(), List.of())
        .run();
  }

  private TrainingResult run() {
    try {
      return ended(train());
    } catch (RuntimeException | Error e) {
      listeners.failed(e);
      throw e;
    }
  }

  private TrainingResult train() {
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
      Optional<ReferenceFiles> files = References.files(config, inputs.loaded().checkpoint());
      new TrainingHeader(config, settings, output).print(inputs, pairs, files, saving);
      DataFacts facts = DataFacts.of(config, pairs, inputs.tokenizer().template() != null, output);
      saving
          .disk()
          .training(config, pairs, settings.maxSteps() / settings.loggingSteps())
          .require(config.output().outputDir(), disk, pairs.bytes());
      TrainingSummary summary = new TrainingSummary(config, settings, output);
      listeners.start(start(settings, pairs, inputs, folder));
      if (listeners.reasonToEnd() != EndReason.COMPLETED) {
        return nothingTrained(summary, settings, folder);
      }

      SampleAnswers samples = new SampleAnswers(config, inputs, given.textSide(), pairs, output);
      Optional<TrainingTotals> trained = train(settings, inputs, pairs, files, saving);
      if (trained.isEmpty()) {
        return nothingTrained(summary, settings, folder);
      }
      TrainingTotals totals = trained.get();
      Map<String, Number> logged = results(settings, totals, OptionalLong.empty()).train();
      history.finish(logged);
      console.console().finish(logged, totals.steps());
      Conclusion conclusion = summary.conclusion(history);
      summary.trained(totals, conclusion, early);

      pairs.close(); // their disk space is needed now
      List<RunSummary.Sample> answers = samples.after();
      prose.line("saved as %s", saving.words());
      writeWeights(folder, inputs, saving);
      new RunRecords(config, settings)
          .write(folder, results(settings, totals, Engine.peakMemoryBytes()));
      new CurveFiles(config, settings).write(folder, history, totals.steps());
      new CardFile(config, settings)
          .write(
              folder,
              new CardFile.Contents(
                  inputs, facts, totals, conclusion, saving.words(), output.warnings(), answers));
      folder.publish();
      summary.published(totals);
      return result(settings, totals, folder.target(), files(folder.target()));
    }
  }

  private TrainingStart start(
      Trainer.Settings settings, TrainingPairs pairs, ModelBundle inputs, OutputFolder folder) {
    EpochPlan plan = settings.plan();
    return new TrainingStart(
        plan.pairs(),
        pairs.heldOut().map(held -> held.pairs().size()).orElse(0),
        settings.maxSteps(),
        plan.stepsPerEpoch(),
        (int) Math.min(plan.pairs(), new StepDescriptions(config, settings).pairsOfStep()),
        inputs.model().parameters().count(),
        inputs.model().trained().count(),
        new RunDescriptions(config).loss(),
        Engine.threads(),
        config.engine().seed(),
        folder.target());
  }

  /**
   * Computes the reference, trains, rounds the weights for saving and evaluates them.
   *
   * @return empty if the run ended before its first step
   */
  private Optional<TrainingTotals> train(
      Trainer.Settings settings,
      ModelBundle inputs,
      TrainingPairs pairs,
      Optional<ReferenceFiles> files,
      Saving saving) {
    long started = System.nanoTime();
    List<PreferenceData> data =
        new References(
                config, files, output.progress(), line -> prose.line("reference cache: %s", line))
            .of(inputs, pairs.datasets());
    try (Reference reference = data.get(0).reference()) { // null closes nothing
      double referenceSeconds = (System.nanoTime() - started) / 1e9;
      List<String> earlyWarnings = output.warnings();
      output.progress().update("training", 0, settings.maxSteps(), "");
      Evaluation evaluation = pairs.heldOut().isEmpty() ? null : evaluation(data.get(1), settings);
      inputs.tokenizer().close(); // tens of megabytes that training does not need
      Engine.releaseFreeMemory();
      TrainingSession session =
          new TrainingSession(inputs.model(), data.get(0), config.loss().objective(), settings);
      Trainer trainer = new Trainer(session, evaluation, listeners);
      try (session) {
        trainer.train();
      } catch (ListenerException e) {
        // Its step is complete. The weights are saved first; then ended() throws.
      }
      if (session.step() == 0) {
        return Optional.empty();
      }
      boolean rounded = saving.finish(output);
      if (rounded || !trainer.evaluated()) {
        trainer.evaluate();
      }
      return Optional.of(
          new TrainingTotals(
              trainer.endReason(),
              session.step(),
              session.epoch(),
              session.pairsSeen(),
              session.numTokens(),
              (System.nanoTime() - started) / 1e9,
              referenceSeconds,
              earlyWarnings));
    }
  }

  private Results results(
      Trainer.Settings settings, TrainingTotals totals, OptionalLong peakMemory) {
    return new Results(
        history,
        settings.plan().pairs(),
        totals.pairsSeen(),
        totals.seconds(),
        totals.referenceSeconds(),
        peakMemory);
  }

  private static void writeWeights(OutputFolder folder, ModelBundle inputs, Saving saving) {
    LoadedModel loaded = inputs.loaded();
    if (inputs.adapter().isPresent()) {
      inputs.adapter().get().write(folder.pending(), loaded, saving.type());
    } else {
      new ModelWriter().write(folder.pending(), loaded, loaded.model(), saving.type());
    }
  }

  private TrainingResult nothingTrained(
      TrainingSummary summary, Trainer.Settings settings, OutputFolder folder) {
    EndReason reason = listeners.reasonToEnd();
    summary.nothingTrained(reason);
    return result(
        settings,
        new TrainingTotals(reason, 0, 0, 0, 0, 0, 0, List.of()),
        folder.target(),
        List.of());
  }

  private TrainingResult result(
      Trainer.Settings settings, TrainingTotals totals, Path folder, List<Path> files) {
    return new TrainingResult(
        totals.endReason(),
        totals.steps(),
        settings.maxSteps(),
        totals.epoch(),
        totals.pairsSeen(),
        totals.numTokens(),
        history.steps(),
        history.evaluations(),
        totals.seconds(),
        totals.referenceSeconds(),
        output.warnings(),
        folder,
        files);
  }

  private static List<Path> files(Path folder) {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.filter(Files::isRegularFile).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Delivers the end of the run, or throws the exception of a listener that failed. */
  private TrainingResult ended(TrainingResult result) {
    if (listeners.failure() == null) {
      listeners.end(result);
    }
    ListenerException failure = listeners.failure();
    if (failure == null) {
      return result;
    }
    boolean saved = !result.files().isEmpty();
    ListenerException complete =
        new ListenerException(
            failure.getMessage()
                + (saved
                    ? "; the weights after %d of %d steps are saved in %s"
                        .formatted(result.steps(), result.maxSteps(), config.output().outputDir())
                    : "; no step was done and nothing was saved"),
            failure.listener(),
            saved ? result : null,
            Objects.requireNonNull(failure.getCause()));
    Arrays.stream(failure.getSuppressed()).forEach(complete::addSuppressed);
    throw complete;
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
