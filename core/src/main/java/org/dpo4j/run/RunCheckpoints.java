package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.DoubleSupplier;
import org.dpo4j.Dpo4j;
import org.dpo4j.DpoException;
import org.dpo4j.EvaluationReport;
import org.dpo4j.SavedCheckpoint;
import org.dpo4j.checkpoint.CheckpointFolders;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.ResumeRules;
import org.dpo4j.config.SaveStrategy;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.ranks.Ranks;
import org.dpo4j.report.EarlyAccuracy;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.TrainerState;
import org.dpo4j.torch.Engine;
import org.dpo4j.train.Checkpointing;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingSession;
import org.jspecify.annotations.Nullable;

/** Saves the checkpoints of a run into its output folder, and deletes those that are not kept. */
final class RunCheckpoints implements Checkpointing {

  private final TrainingConfig config;
  private final Trainer.Settings settings;
  private final OutputFolder folder;
  private final ModelBundle inputs;
  private final RunIdentity identity;
  private final RunHistory history;
  private final EarlyAccuracy early;
  private final RunOutput output;
  private final int interval;
  private final Ranks ranks;
  private final DoubleSupplier seconds;
  private double referenceSeconds;

  /**
   * @param identity of the run
   * @param history receives each event before a checkpoint is saved
   * @param interval steps between checkpoints
   * @param ranks that train together
   * @param seconds wall time of the run so far
   */
  RunCheckpoints(
      TrainingConfig config,
      Trainer.Settings settings,
      OutputFolder folder,
      ModelBundle inputs,
      RunIdentity identity,
      RunHistory history,
      EarlyAccuracy early,
      RunOutput output,
      int interval,
      Ranks ranks,
      DoubleSupplier seconds) {
    this.config = config;
    this.settings = settings;
    this.folder = folder;
    this.inputs = inputs;
    this.identity = identity;
    this.history = history;
    this.early = early;
    this.output = output;
    this.interval = interval;
    this.ranks = ranks;
    this.seconds = seconds;
  }

  void referenceSeconds(double spent) {
    referenceSeconds = spent;
  }

  @Override
  public boolean enabled() {
    return config.checkpoints().saveStrategy() != SaveStrategy.NO;
  }

  @Override
  public boolean due(int step, boolean epochEnded, boolean evaluated) {
    return switch (config.checkpoints().saveStrategy()) {
      case NO -> false;
      case STEPS -> step % interval == 0;
      case EPOCH -> epochEnded;
      case BEST -> evaluated && best().filter(best -> best.step() == step).isPresent();
    };
  }

  /** The best evaluation so far, if the options make one better than another. */
  Optional<EvaluationReport> best() {
    return config.checkpoints().tracksBest()
        ? config.bestMetric().best(history.evaluations())
        : Optional.empty();
  }

  @Override
  public SavedCheckpoint save(TrainingSession session) {
    long started = System.nanoTime();
    CheckpointFolders checkpoints = folder.checkpoints();
    Path saved = checkpoints.save(session.step(), pending -> write(pending, session));
    Set<Path> needed = new HashSet<>(Set.of(saved));
    best().ifPresent(best -> needed.add(checkpoints.of(best.step())));
    try {
      checkpoints.prune(config.checkpoints().saveTotalLimit(), needed);
    } catch (DpoException e) {
      output.warn(e.text() + "; the run goes on");
    }
    return new SavedCheckpoint(session.step(), saved, (System.nanoTime() - started) / 1e9);
  }

  private void write(Path pending, TrainingSession session) throws IOException {
    boolean complete = !config.checkpoints().saveOnlyModel();
    SavedTensors.write(pending, session, inputs, complete);
    RunRecords records = new RunRecords(config, settings);
    records.writeOptions(pending.resolve(RunRecords.OPTIONS));
    records.state(interval, best(session.step())).write(pending.resolve(RunRecords.STATE), history);
    if (complete) {
      state(session).write(pending);
    }
  }

  /** The best evaluation, if it is not of the given step and has a checkpoint. */
  Optional<EvaluationReport> bestBefore(int step) {
    return best().filter(best -> best.step() < step).filter(best -> Files.isDirectory(of(best)));
  }

  /** The checkpoint of an evaluation. */
  Path of(EvaluationReport evaluation) {
    return folder.checkpoints().of(evaluation.step());
  }

  /** The best evaluation with its checkpoint, which may be the one that is being saved. */
  Optional<TrainerState.Best> best(int savedStep) {
    return best()
        .map(
            best -> {
              Path checkpoint = of(best);
              boolean there = best.step() == savedStep || Files.isDirectory(checkpoint);
              @Nullable String name =
                  there
                      ? config.output().outputDir().resolve(checkpoint.getFileName()).toString()
                      : null;
              return new TrainerState.Best(config.bestMetric().of(best), best.step(), name);
            });
  }

  private CheckpointState state(TrainingSession session) throws IOException {
    OptionalDouble startLoss = history.startLoss();
    return new CheckpointState(
        CheckpointState.FORMAT,
        CheckpointState.VERSION,
        Dpo4j.version(),
        session.numbers(),
        settings.maxSteps(),
        session.layout(),
        identity.hashes(),
        ResumeRules.texts(config),
        Engine.threads(),
        ranks.size(),
        seconds.getAsDouble(),
        referenceSeconds,
        startLoss.isPresent() ? startLoss.getAsDouble() : null,
        history.steps(),
        history.evaluations(),
        early.count(),
        output.warnings());
  }
}
