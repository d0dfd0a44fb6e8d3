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
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.EndReason;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.ListenerException;
import org.dpo4j.OptionText;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.TrainingStart;
import org.dpo4j.UsageException;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.checkpoint.CheckpointFolders;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.checkpoint.FileTrees;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.EvalStrategy;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.NamedInput;
import org.dpo4j.options.MemorySize;
import org.dpo4j.ranks.RankAddress;
import org.dpo4j.ranks.Ranks;
import org.dpo4j.reference.Reference;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.report.Conclusion;
import org.dpo4j.report.ConsoleListener;
import org.dpo4j.report.DiagnosisGuard;
import org.dpo4j.report.EarlyAccuracy;
import org.dpo4j.report.EarlyStopping;
import org.dpo4j.report.LedgerFile;
import org.dpo4j.report.LiveRun;
import org.dpo4j.report.MetricsFile;
import org.dpo4j.report.PairDiagnoses;
import org.dpo4j.report.ProgressListener;
import org.dpo4j.report.Results;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.RunSummary;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.serve.PageServer;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.MemoryFailure;
import org.dpo4j.tracking.MlflowRun;
import org.dpo4j.train.Evaluation;
import org.dpo4j.train.ExampleListener;
import org.dpo4j.train.Listeners;
import org.dpo4j.train.NonFiniteStepException;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingData;
import org.dpo4j.train.TrainingSession;
import org.dpo4j.weights.ModelBlueprint;

/**
 * Trains a model: pairs and a checkpoint are the input, a folder with a tuned checkpoint or an
 * adapter is the output. This class connects the packages; it contains no formula.
 *
 * <p>A run is interrupted with {@link Thread#interrupt}: it then throws and saves nothing. It is
 * cancelled with a {@link Cancellation}, or stopped by a listener: it then completes its step and
 * saves the weights trained until then.
 */
public final class TrainingRun {

  private TrainingConfig config; // its micro-batch may be chosen once the rows are known
  private boolean separable; // whether the division into micro-batches changes no number
  private final ProgramInputs given;
  private final RunOutput output;
  private final DiskSpace disk;
  private final long memory;
  private final Ranks ranks;
  private final Prose prose;
  private final RunHistory history = new RunHistory();
  private final EarlyAccuracy early = new EarlyAccuracy();
  private final ConsoleListener console;
  private final MetricsFile metrics;
  private final LedgerFile ledger;
  private final Optional<LiveRun> live;
  private final SampleAnswers samples;
  private final Optional<MetricsFile> events;
  private final Optional<MlflowRun> mlflow;
  private final Optional<EarlyStopping> earlyStopping;
  private final Optional<DiagnosisGuard> guard;
  private final Listeners listeners;

  /**
   * A moment of a run.
   *
   * @param step steps done
   * @param epoch passes over the training examples
   */
  private record Moment(int step, double epoch) {}

  private TrainingRun(
      TrainingConfig config,
      ProgramInputs given,
      RunOutput output,
      DiskSpace disk,
      long memory,
      Map<String, String> environment,
      Ranks ranks,
      Cancellation cancellation,
      List<? extends TrainingListener> added) {
    this.ranks = ranks;
    this.config = config;
    separable = config.loss().objective().loss().separable();
    this.given = given;
    this.live =
        config.output().ui().isOpen()
            ? Optional.of(new LiveRun(history, this::warnings))
            : Optional.empty();
    this.output = live.map(output::showing).orElse(output);
    this.disk = disk;
    this.memory = memory;
    this.prose = Prose.of(this.output, config.output().logFormat());
    this.console =
        new ConsoleListener(
            output.out(),
            prose.stream(),
            config.output().logFormat(),
            config.data().evaluationSets(),
            config.startsAtReference() && config.loss().objective().valueAtZero().isPresent());
    this.metrics = MetricsFile.jsonLines(history, this.output::warn);
    this.ledger = new LedgerFile(this.output::warn);
    this.events =
        config.output().tensorBoard()
            ? Optional.of(
                MetricsFile.tensorBoard(
                    history, this.output::warn, () -> RunRecords.options(this.config)))
            : Optional.empty();
    this.mlflow =
        Tracking.server(config, environment)
            .map(server -> new MlflowRun(server, history, output::warn, prose::print));
    List<TrainingListener> all =
        new ArrayList<>(
            List.of(
                history,
                metrics,
                console,
                new ProgressListener(this.output.progress()),
                new SkipWarnings(this.output)));
    events.ifPresent(all::add);
    mlflow.ifPresent(all::add);
    all.add(ledger);
    this.samples = new SampleAnswers(config, this.output, this::answered);
    all.add(samples);
    live.ifPresent(all::add);
    this.earlyStopping = earlyStopping(config);
    earlyStopping.ifPresent(all::add);
    this.guard = guard(config);
    guard.ifPresent(all::add);
    if (config.startsAtReference()) {
      all.add(early);
    }
    all.addAll(added);
    this.listeners = new Listeners(all, cancellation);
  }

  private List<String> warnings() {
    return output.warnings();
  }

  private void answered(int step, String prompt, String answer) {
    live.ifPresent(run -> run.answered(step, prompt, answer));
  }

  private ExampleListener pairListener() {
    return live.<ExampleListener>map(run -> ExampleListener.both(ledger, run)).orElse(ledger);
  }

  private Optional<EarlyStopping> earlyStopping(TrainingConfig config) {
    TrainingConfig.Checkpoints checkpoints = config.checkpoints();
    return checkpoints.earlyStoppingPatience() == 0 || !ranks.first()
        ? Optional.empty()
        : Optional.of(
            new EarlyStopping(
                history,
                config.bestMetric(),
                checkpoints.earlyStoppingPatience(),
                checkpoints.earlyStoppingThreshold()));
  }

  private Optional<DiagnosisGuard> guard(TrainingConfig config) {
    return config.checkpoints().guards().isEmpty() || !ranks.first()
        ? Optional.empty()
        : Optional.of(
            new DiagnosisGuard(
                history,
                config.checkpoints().guards(),
                config.optimizer().learningRate(),
                config.startsAtReference()));
  }

  /** {@link #run(TrainingConfig, ProgramInputs, RunOutput, Cancellation, List)} on files. */
  public static TrainingResult run(
      TrainingConfig config, RunOutput output, TrainingListener... listeners) {
    return run(config, ProgramInputs.NONE, output, new Cancellation(), List.of(listeners));
  }

  /**
   * Trains, and puts the finished files into the output folder when all is done. If the run fails
   * or is suspended, the folder has what it had before and the checkpoints that the run saved; the
   * reference cache keeps what it has.
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
    return run(config, given, output, System.getenv(), cancellation, listeners);
  }

  /**
   * As above, with other environment variables than those of the process: they tell the rank of a
   * run of several processes ({@link RankAddress}), and the addresses of servers.
   */
  public static TrainingResult run(
      TrainingConfig config,
      ProgramInputs given,
      RunOutput output,
      Map<String, String> environment,
      Cancellation cancellation,
      List<? extends TrainingListener> listeners) {
    return RankRun.of(config, environment, output)
        .run(
            (own, ownOutput, ranks) ->
                new TrainingRun(
                        own,
                        given,
                        ownOutput,
                        DiskSpace.OF_MACHINE,
                        MemorySize.ofMachine(),
                        environment,
                        ranks,
                        cancellation,
                        ranks.first() ? listeners : List.of())
                    .run());
  }

  /** A run on another disk, for tests. */
  static TrainingResult run(TrainingConfig config, RunOutput output, DiskSpace disk) {
    return run(config, output, disk, MemorySize.ofMachine());
  }

  /** A run on a machine with so much memory, for tests. */
  static TrainingResult run(TrainingConfig config, RunOutput output, DiskSpace disk, long memory) {
    return new TrainingRun(
            config,
            ProgramInputs.NONE,
            output,
            disk,
            memory,
            System.getenv(),
            Ranks.alone(),
            new Cancellation(),
            List.of())
        .run();
  }

  private TrainingResult run() {
    try {
      return ended(train());
    } catch (NonFiniteStepException e) {
      if (!ranks.first()) {
        throw e;
      }
      DpoException failure =
          new NonFiniteReproduction(ofOneProcess())
              .write(e, config.output().outputDir().resolve("nonfinite-step-" + e.step().step()));
      listeners.failed(failure);
      throw failure;
    } catch (RuntimeException | Error e) {
      Optional<DpoException> memory = MemoryFailure.ofTraining(e, separable);
      if (memory.isPresent()) {
        listeners.failed(memory.get());
        throw memory.get();
      }
      listeners.failed(e);
      throw e;
    }
  }

  /** The configuration with which one process does the same steps. */
  private TrainingConfig ofOneProcess() {
    int accumulation = config.batching().gradientAccumulationSteps() * ranks.size();
    return config.with("gradient_accumulation_steps", accumulation);
  }

  private TrainingResult train() {
    config.checkFolders();
    DataInput training = given.training(config);
    List<NamedInput> heldOut = given.heldOut(config);
    TextReplacement replaced = given.text(config);
    try (@SuppressWarnings("unused") // closed at the end, if there is one
            PageServer page =
                live.map(run -> LiveServer.start(config, training, run, output)).orElse(null);
        Engine.Threads threads = Engine.use(config.engine().threads());
        OutputFolder folder =
            OutputFolder.prepare(
                config.output().outputDir(), existing(), inputs(config, training, heldOut));
        InterruptedOutput interruption =
            InterruptedOutput.watch(
                output,
                config.trainsAdapter() ? "adapter" : "model",
                folder,
                config.output().outputDir())) {
      Optional<SavedRun> saved = SavedRun.find(config, folder, output);
      try (ModelBundle inputs =
              ModelBundle.open(
                  config.model().model(),
                  replaced,
                  () ->
                      ComputingEngine.memory(
                          config, ModelBlueprint.read("model", config.model().model())),
                  loaded -> TrainedAdapter.of(config, loaded, output),
                  output);
          TrainingExamples pairs =
              TrainingExamples.load(
                  config,
                  training,
                  heldOut,
                  inputs.encoder(config.data().maxLength()),
                  folder.pending());
          Saving saving = new Saving(config.output().saveDtype(), inputs)) {
        separable &= inputs.model().routerLoss() == null;
        return train(folder, saved, inputs, pairs, saving);
      }
    }
  }

  private TrainingResult train(
      OutputFolder folder,
      Optional<SavedRun> saved,
      ModelBundle inputs,
      TrainingExamples pairs,
      Saving saving) {
    if (config.batching().autoFindBatchSize()) {
      config =
          saved
              .map(run -> run.withMicroBatch(config))
              .orElseGet(() -> withMicroBatch(inputs, pairs));
    }
    Trainer.Settings settings = settings(pairs.training().rows());
    int saveSteps =
        config
            .checkpoints()
            .interval(settings.maxSteps(), config.evalInterval().steps(settings.maxSteps()));
    Optional<ReferenceFiles> files = References.files(config, inputs.loaded().checkpoint());
    new TrainingHeader(config, settings, output).print(inputs, pairs, files, saving);
    DataFacts facts = DataFacts.of(config, pairs, inputs.tokenizer().template() != null, output);
    if (ranks.first()) {
      saving
          .disk()
          .training(
              config,
              pairs,
              settings.maxSteps(),
              settings.plan().stepsPerEpoch(),
              inputs.model().trained().count())
          .require(config.output().outputDir(), disk, pairs.bytes());
    }
    RunIdentity identity = new RunIdentity(config, inputs, pairs, files);
    RankAgreement.require(config, identity, ranks);
    saved.ifPresent(run -> continueFrom(run, identity, settings));
    RunClock clock = new RunClock(saved.map(run -> run.state().seconds()).orElse(0.0));
    RunCheckpoints checkpoints =
        new RunCheckpoints(
            config, settings, folder, inputs, identity, history, early, output, saveSteps, ranks,
            clock);
    if (checkpoints.enabled() && ranks.first()) {
      identity.hashes(); // of the inputs as they are now
    }
    TrainingSummary summary = new TrainingSummary(config, settings, output);
    listeners.start(start(settings, pairs, inputs, folder, saved));
    EndReason before = listeners.agree(ranks);
    if (before != EndReason.COMPLETED) {
      return nothingTrained(before, summary, settings, folder);
    }

    folder.begin();
    metrics.begin(folder.metrics());
    events.ifPresent(file -> folder.newEvents(output::warn).ifPresent(file::begin));
    mlflow.ifPresent(run -> run.begin(folder.mlflow(), saved.isPresent(), Tracking.facts(config)));
    if (config.output().ledger() && config.loss().examples() == ExampleKind.PAIRS) {
      ledger.begin(folder.ledger(), saved.map(SavedRun::step).orElse(0), facts.hashes());
    }
    samples.begin(inputs, pairs, folder.samples(), saved.map(SavedRun::step).orElse(0));
    Optional<TrainingTotals> trained =
        train(settings, inputs, pairs, files, saving, saved, checkpoints, clock);
    if (trained.isEmpty()) {
      return nothingTrained(listeners.reasonToEnd(), summary, settings, folder);
    }
    TrainingTotals totals = trained.get();
    if (!ranks.first()) {
      return result(settings, totals, folder.target(), List.of());
    }
    if (totals.endReason() == EndReason.SUSPENDED) {
      summary.suspended(totals, folder.checkpoints().all().stream().findFirst());
      return result(settings, totals, folder.target(), List.of());
    }
    Map<String, Number> logged = results(settings, totals, OptionalLong.empty()).train();
    history.finish(logged);
    metrics.appendLast();
    events.ifPresent(MetricsFile::appendLast);
    mlflow.ifPresent(MlflowRun::addLast);
    console.finish(logged, totals.steps());
    if (totals.endReason() == EndReason.STOPPED_BY_GUARD) {
      int step = history.lastEvaluation().map(EvaluationReport::step).orElse(totals.steps());
      guard.flatMap(DiagnosisGuard::stop).ifPresent(stop -> summary.guarded(stop, step));
    }
    Conclusion conclusion = summary.conclusion(history);
    summary.trained(totals, conclusion, early);
    if (config.output().ledger()) {
      PairDiagnoses.of(folder.ledger(), history).ifPresent(output::warn);
    }

    pairs.close(); // their disk space is needed now
    List<RunSummary.Sample> answers = samples.after(totals.steps());
    prose.line("saved as %s", saving.words());
    writeWeights(folder, inputs, saving);
    new RunRecords(config, settings)
        .write(
            folder,
            results(settings, totals, Engine.peakMemoryBytes()),
            saveSteps,
            checkpoints.best(totals.steps()));
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

  private static UsageException noBatchChoice(String rule, String found) {
    return new UsageException(
        "auto_find_batch_size",
        rule,
        found,
        OptionText.of("leave it out, and lower {per_device_train_batch_size} yourself"));
  }

  /**
   * The configuration with the largest micro-batch, up to the given one, whose step fits into the
   * machine's memory.
   */
  private TrainingConfig withMicroBatch(ModelBundle inputs, TrainingExamples pairs) {
    ModelBlueprint blueprint = ModelBlueprint.read("model", config.model().model());
    MemoryNeed need =
        new MemoryNeed(
            config,
            blueprint.shape(),
            inputs.adapter().map(adapter -> adapter.model().config()),
            inputs.adapter().map(adapter -> adapter.model().plan().biasCount()).orElse(0L),
            ComputingEngine.storage(config, blueprint),
            inputs.loaded().checkpoint().dtype(),
            ComputingEngine.isAutograd(config, inputs.model().untapedParts()));
    TrainingConfig.Batching given = config.batching();
    int examples = Math.toIntExact(given.examplesOfStep());
    if (blueprint.hasRouterLoss()) {
      throw noBatchChoice(
          "works with losses that do not depend on the micro-batch",
          "the loss of the model's routers does");
    }
    if (need.autograd()) {
      throw noBatchChoice(
          "knows the memory of the hand-written passes alone, and autograd computes this run,", "");
    }
    MemoryNeed.MicroBatch micro =
        need.largestMicroBatch(pairs, examples, given.perDeviceTrainBatchSize(), memory)
            .orElseThrow(
                () ->
                    new UsageException(
                        "auto_find_batch_size",
                        "needs a micro-batch that fits into %s".formatted(MemorySize.text(memory)),
                        "even one of 1 needs %s"
                            .formatted(MemorySize.text(need.peak(pairs, 1, examples))),
                        OptionText.of(
                            "use fewer tokens ({max_length}), {use_peft}, a smaller model, or more"
                                + " memory")));
    prose.line(
        "micro-batch: %d of at most %d; a step needs %s of %s",
        micro.examples(),
        given.perDeviceTrainBatchSize(),
        MemorySize.text(micro.bytes()),
        MemorySize.text(memory));
    return config
        .with("per_device_train_batch_size", micro.examples())
        .with("gradient_accumulation_steps", examples / micro.examples());
  }

  /** How files of an earlier run in the output folder are treated. */
  private OutputFolder.Existing existing() {
    Path target = FileTrees.real(config.output().outputDir());
    boolean continues =
        config.checkpoints().resumes()
            && config
                .checkpoints()
                .resumedFolder()
                .map(checkpoint -> FileTrees.real(checkpoint).startsWith(target))
                .orElse(true);
    if (continues) {
      return OutputFolder.Existing.RESUME;
    }
    return config.output().overwriteOutputDir()
        ? OutputFolder.Existing.OVERWRITE
        : OutputFolder.Existing.REFUSE;
  }

  private void continueFrom(SavedRun run, RunIdentity identity, Trainer.Settings settings) {
    run.requireSameRun(config, identity.hashes(), settings, ranks.size(), separable, output);
    CheckpointState state = run.state();
    output.restoreWarnings(state.warnings());
    early.restore(state.early());
    Double startLoss = state.startLoss();
    history.restore(
        state.reports(),
        state.evaluations(),
        startLoss == null ? OptionalDouble.empty() : OptionalDouble.of(startLoss));
    prose.line(
        "continues from %s, after %s",
        run.folder(), new StepDescriptions(config, settings).done(run.step()));
  }

  private TrainingStart start(
      Trainer.Settings settings,
      TrainingExamples pairs,
      ModelBundle inputs,
      OutputFolder folder,
      Optional<SavedRun> saved) {
    EpochPlan plan = settings.plan();
    return new TrainingStart(
        plan.examples(),
        pairs.heldOutSize(),
        saved.map(SavedRun::step).orElse(0),
        settings.maxSteps(),
        plan.stepsPerEpoch(),
        (int) Math.min(plan.examples(), new StepDescriptions(config, settings).pairsOfStep()),
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
      TrainingExamples pairs,
      Optional<ReferenceFiles> files,
      Saving saving,
      Optional<SavedRun> saved,
      RunCheckpoints checkpoints,
      RunClock clock) {
    List<TrainingData> data;
    try {
      data =
          new References(
                  config,
                  files,
                  ranks,
                  new EndingProgress(output.progress(), listeners),
                  line -> prose.line("reference cache: %s", line))
              .of(inputs, pairs.datasets());
    } catch (EndingProgress.Ended e) {
      if (ranks.several()) { // the others are in the middle of a sum: they end with an error too
        throw new DpoException("the run was ended while the reference was computed", e);
      }
      return Optional.empty();
    }
    try (Reference reference = data.get(0).reference()) { // null closes nothing
      double referenceSeconds =
          reference == null
              ? 0
              : clock.sinceStart() + saved.map(run -> run.state().referenceSeconds()).orElse(0.0);
      checkpoints.referenceSeconds(referenceSeconds);
      List<String> earlyWarnings = output.warnings();
      output.progress().update("training", 0, settings.maxSteps(), "");
      Evaluation evaluation =
          pairs.heldOut().isEmpty()
              ? null
              : evaluation(pairs.heldOut(), data.subList(1, data.size()), settings);
      inputs.tokenizer().close(); // tens of megabytes that training does not need
      Engine.releaseFreeMemory();
      TrainingSession session =
          new TrainingSession(
              inputs.model(), data.get(0), config.loss().objective(), settings, ranks);
      Trainer trainer =
          new Trainer(
              session,
              evaluation,
              ranks.first() ? checkpoints : null,
              listeners,
              ranks.first() ? pairListener() : ExampleListener.NONE);
      Optional<Moment> best;
      EndReason reason;
      try (session) {
        saved.ifPresent(
            run -> {
              run.restore(session, inputs);
              history.lastEvaluation().ifPresent(last -> trainer.lastEvaluatedAt(last.step()));
              earlyStopping.ifPresent(stopping -> stopping.check(listeners.control()));
              guard.ifPresent(guarding -> guarding.check(run.step(), listeners.control()));
            });
        session.shareState();
        shareLastEvaluation(trainer);
        trainer.train();
        reason = endReason(trainer); // evaluations of the saved weights stop nothing
        best = loadBest(trainer, session, inputs, checkpoints);
      } catch (ListenerException e) {
        // Its step is complete. The weights are saved first; then ended() throws.
        best = Optional.empty();
        reason = EndReason.LISTENER_FAILED;
      }
      if (session.step() == session.skippedSteps()) {
        return Optional.empty();
      }
      if (trainer.endReason() != EndReason.SUSPENDED) {
        boolean rounded = saving.finish(output);
        if (best.isPresent()) {
          trainer.evaluate(best.get().step(), best.get().epoch());
        } else if (rounded || !trainer.evaluated()) {
          trainer.evaluate();
        }
      }
      return Optional.of(
          new TrainingTotals(
              listeners.failure() == null ? reason : EndReason.LISTENER_FAILED,
              session.step(),
              session.skippedSteps(),
              session.epoch(),
              session.examplesSeen(),
              session.numTokens(),
              clock.getAsDouble(),
              referenceSeconds,
              earlyWarnings));
    }
  }

  private EndReason endReason(Trainer trainer) {
    return named(trainer.endReason());
  }

  /** Says which of the run's own listeners has stopped it. */
  private EndReason named(EndReason reason) {
    if (reason != EndReason.STOPPED_BY_LISTENER) {
      return reason;
    }
    if (guard.flatMap(DiagnosisGuard::stop).isPresent()) {
      return EndReason.STOPPED_BY_GUARD;
    }
    return earlyStopping.map(EarlyStopping::stopped).orElse(false)
        ? EndReason.STOPPED_EARLY
        : reason;
  }

  /**
   * Replaces the last weights by those of the best checkpoint, if the run asks for it.
   *
   * @return when the policy had these weights; empty if they stay
   */
  private Optional<Moment> loadBest(
      Trainer trainer, TrainingSession session, ModelBundle inputs, RunCheckpoints checkpoints) {
    if (!config.checkpoints().loadBestModelAtEnd()
        || trainer.endReason() == EndReason.SUSPENDED
        || trainer.endReason() == EndReason.LISTENER_FAILED
        || session.step() == 0) {
      return Optional.empty();
    }
    if (!trainer.evaluated()) {
      trainer.evaluate();
    }
    Optional<EvaluationReport> best =
        ranks.first() ? checkpoints.bestBefore(session.step()) : Optional.empty();
    best.ifPresent(
        evaluation -> {
          Path folder = checkpoints.of(evaluation);
          CheckpointFolders.verify(folder);
          SavedRun.restoreWeights(folder, session, inputs);
          prose.line(
              "the weights of %s are saved, since its %s was the best (%s)",
              folder.getFileName(),
              config.bestMetric().name(),
              ShortNumber.of(config.bestMetric().of(evaluation)));
        });
    Optional<Moment> moment = best.map(found -> new Moment(found.step(), found.epoch()));
    return ranks.several() ? share(moment, session) : moment;
  }

  /** Gives weights that rank 0 has loaded to all ranks. */
  private Optional<Moment> share(Optional<Moment> loaded, TrainingSession session) {
    if (!ranks.any(loaded.isPresent())) {
      return Optional.empty();
    }
    session.shareWeights();
    Moment own = loaded.orElse(new Moment(0, 0));
    double[] first = ranks.ofFirst(own.step(), own.epoch());
    return Optional.of(new Moment((int) first[0], first[1]));
  }

  /** Tells all ranks which evaluation rank 0 has found in a checkpoint. */
  private void shareLastEvaluation(Trainer trainer) {
    if (ranks.several()) {
      int step = history.lastEvaluation().map(EvaluationReport::step).orElse(-1);
      step = (int) ranks.ofFirst(step)[0];
      if (step >= 0) {
        trainer.lastEvaluatedAt(step);
      }
    }
  }

  private Results results(
      Trainer.Settings settings, TrainingTotals totals, OptionalLong peakMemory) {
    return new Results(
        history,
        settings.plan().examples(),
        totals.examplesSeen(),
        totals.skippedSteps(),
        totals.seconds(),
        totals.referenceSeconds(),
        peakMemory);
  }

  private static void writeWeights(OutputFolder folder, ModelBundle inputs, Saving saving) {
    folder.writeAll(pending -> inputs.write(pending, saving.type()));
  }

  private TrainingResult nothingTrained(
      EndReason why, TrainingSummary summary, Trainer.Settings settings, OutputFolder folder) {
    EndReason reason = named(why);
    if (reason == EndReason.STOPPED_BY_GUARD) {
      guard.flatMap(DiagnosisGuard::stop).ifPresent(stop -> summary.guarded(stop, 0));
    }
    summary.nothingTrained(reason);
    return result(
        settings,
        new TrainingTotals(reason, 0, 0, 0, 0, 0, 0, 0, List.of()),
        folder.target(),
        List.of());
  }

  private TrainingResult result(
      Trainer.Settings settings, TrainingTotals totals, Path folder, List<Path> files) {
    return new TrainingResult(
        totals.endReason(),
        totals.steps(),
        totals.skippedSteps(),
        settings.maxSteps(),
        totals.epoch(),
        totals.examplesSeen(),
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
            Math.multiplyExact(config.batching().gradientAccumulationSteps(), ranks.size()));
    int maxSteps = config.steps(plan);
    TrainingConfig.Optimizer optimizer = config.optimizer();
    return new Trainer.Settings(
        plan,
        maxSteps,
        config.learningRate(maxSteps),
        optimizer.settings(),
        optimizer.maxGradNorm(),
        optimizer.skipLimit(),
        config.output().loggingSteps().steps(maxSteps),
        config.engine().computation(),
        config.startsAtReference());
  }

  /**
   * @param data of the sets, in their order
   */
  private Evaluation evaluation(
      List<HeldOut> sets, List<TrainingData> data, Trainer.Settings settings) {
    EvalStrategy strategy = config.evaluation().evalStrategy();
    int everySteps =
        strategy == EvalStrategy.STEPS ? config.evalInterval().steps(settings.maxSteps()) : 0;
    return new Evaluation(
        IntStream.range(0, sets.size())
            .mapToObj(i -> new Evaluation.HeldOut(sets.get(i).name(), data.get(i)))
            .toList(),
        config.evaluation().perDeviceEvalBatchSize(),
        everySteps,
        strategy == EvalStrategy.EPOCH);
  }

  /** Files and folders that a run reads. */
  static List<Path> inputs(TrainingConfig config) {
    return inputs(config, config.data().training(), config.data().heldOut());
  }

  private static List<Path> inputs(
      TrainingConfig config, DataInput training, List<NamedInput> heldOut) {
    List<Path> inputs = new ArrayList<>(List.of(config.model().model()));
    inputs.addAll(DataInputs.files(training));
    heldOut.forEach(set -> inputs.addAll(DataInputs.files(set.input())));
    config.loss().refModel().ifPresent(inputs::add);
    config.model().adapter().ifPresent(inputs::add);
    config.template().chatTemplate().ifPresent(inputs::add);
    config.output().samplePrompts().file().ifPresent(inputs::add);
    Path target = FileTrees.real(config.output().outputDir());
    config
        .checkpoints()
        .resumedFolder()
        .filter(checkpoint -> !FileTrees.real(checkpoint).startsWith(target))
        .ifPresent(inputs::add);
    return inputs;
  }
}
