package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.CheckpointFolders;
import org.dpo4j.checkpoint.DamagedCheckpointException;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.ResumeRules;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.FileFailure;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.torch.Engine;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingSession;

/**
 * The checkpoint that a run continues from, checked file by file.
 *
 * @param folder the checkpoint
 * @param state everything of the earlier run besides its tensors
 */
record SavedRun(Path folder, CheckpointState state) {

  /**
   * Opens the checkpoint that the options name.
   *
   * @param output receives warnings about checkpoints that are damaged
   * @return empty if the options ask for the newest one and there is none yet
   * @throws DpoException if the checkpoint cannot be used
   */
  static Optional<SavedRun> find(TrainingConfig config, OutputFolder target, RunOutput output) {
    if (!config.checkpoints().resumes()) {
      return Optional.empty();
    }
    Optional<Path> named = config.checkpoints().resumedFolder();
    if (named.isPresent()) {
      return Optional.of(open(named.get()));
    }
    Optional<Path> newest =
        CheckpointFolders.newestGood(
            target.target(),
            damaged -> output.warn(damaged.text() + "; an older one is used if there is one"));
    if (newest.isEmpty()) {
      output.note(
          OptionText.of(
              "{resume_from_checkpoint} true: %s has no checkpoint, so the run starts at its first"
                  + " step",
              config.output().outputDir()));
    }
    return newest.map(SavedRun::read);
  }

  private static SavedRun open(Path folder) {
    if (!Files.exists(folder.resolve(CheckpointState.FILE))) {
      throw new UsageException(
          "resume_from_checkpoint",
          "must be a checkpoint that dpo4j saved with its state",
          "%s has no %s".formatted(folder, CheckpointState.FILE),
          OptionText.of(
              "pass a folder checkpoint-STEP of an {output_dir}, or true; a checkpoint of another"
                  + " tool, or one saved with {save_only_model}, can be the {model} of a new run"));
    }
    try {
      CheckpointFolders.verify(folder);
    } catch (DamagedCheckpointException e) {
      throw new DpoException(
          OptionText.of(
              "%s; pass {resume_from_checkpoint} true to continue from the newest one that is"
                  + " whole",
              e.text()),
          e);
    }
    return read(folder);
  }

  /** Reads the state of a checkpoint that is verified. */
  private static SavedRun read(Path folder) {
    try {
      if (!Files.exists(folder.resolve(CheckpointState.FILE))) {
        throw new UsageException(
            "resume_from_checkpoint",
            "needs a checkpoint with its state",
            OptionText.of("%s was saved with {save_only_model}", folder),
            OptionText.of("it can be the {model} of a new run"));
      }
      return new SavedRun(folder, CheckpointState.read(folder));
    } catch (IOException e) {
      throw unreadable(folder, e);
    }
  }

  private static DpoException unreadable(Path folder, IOException e) {
    return new DpoException(
        "[%s] could not be read: %s".formatted(folder, FileFailure.reason(e)), e);
  }

  /** Steps done. */
  int step() {
    return state.numbers().step();
  }

  /** The configuration with the micro-batch that the run had, where steps have as many examples. */
  TrainingConfig withMicroBatch(TrainingConfig config) {
    TrainingConfig other = withSavedMicroBatch(config);
    return other.batching().examplesOfStep() == config.batching().examplesOfStep() ? other : config;
  }

  private TrainingConfig withSavedMicroBatch(TrainingConfig config) {
    TrainingConfig saved = config;
    for (String name : ResumeRules.MICRO_BATCH) {
      String had = state.options().get(name);
      saved = had == null ? saved : saved.with(name, had);
    }
    return saved;
  }

  /** Names the option that explains other rows of the same files, if there is one. */
  private UsageException otherInput(RunIdentity.Part part, TrainingConfig config) {
    Map<String, String> changes =
        part.equals(RunIdentity.PAIRS)
            ? ResumeRules.changedRows(state.options(), config)
            : Map.of();
    String option = changes.keySet().stream().findFirst().orElse(part.option());
    String others =
        changes.entrySet().stream()
            .skip(1)
            .map(change -> OptionText.of(", and {%s} %s", change.getKey(), change.getValue()))
            .collect(Collectors.joining());
    return new UsageException(
        option,
        "must be what the run in %s had".formatted(folder),
        changes.getOrDefault(option, "%s differs".formatted(part.name())) + others,
        "pass the same, or start a new run in another folder");
  }

  /**
   * Compares the run with the one that saved the checkpoint.
   *
   * @param identity hashes of this run's inputs, by name
   * @param ranks processes that train together
   * @param separable whether the loss of a step is a sum over its examples
   * @param output receives notes about what may differ
   * @throws UsageException if it is another run
   */
  void requireSameRun(
      TrainingConfig config,
      Map<String, String> identity,
      Trainer.Settings settings,
      int ranks,
      boolean separable,
      RunOutput output) {
    List<String> rounding =
        new ArrayList<>(
            ResumeRules.check(state.options(), config, sameSteps(config, ranks, separable)));
    for (RunIdentity.Part part : RunIdentity.PARTS) {
      String before = state.identity().getOrDefault(part.name(), RunIdentity.NONE);
      String now = identity.getOrDefault(part.name(), RunIdentity.NONE);
      if (!before.equals(now)) {
        if (part.decides()) {
          throw otherInput(part, config);
        }
        output.note(
            "%s differs from what the run had until step %d".formatted(part.name(), step()));
      }
    }
    if (state.threads() != Engine.threads()) {
      rounding.add("%d threads were used and now %d".formatted(state.threads(), Engine.threads()));
    }
    if (state.ranks() != ranks) {
      rounding.add(
          "%s trained together and now %d"
              .formatted(ShortNumber.count(state.ranks(), "rank"), ranks));
    }
    if (!rounding.isEmpty()) {
      output.note(
          "%s: the run continues, and its numbers may differ from those of a run without a break in"
                  .formatted(String.join(", ", rounding))
              + " their last digits");
    }
    if (settings.maxSteps() < step()) {
      throw new UsageException(
          config.schedule().maxSteps() > 0 ? "max_steps" : "num_train_epochs",
          "must not end before the checkpoint, at step %d".formatted(step()),
          "gives %s".formatted(StepDescriptions.steps(settings.maxSteps())),
          "raise it, or continue from an earlier checkpoint");
    }
    if (settings.maxSteps() != state.maxSteps()) {
      noteLength(config, settings, output);
    }
  }

  /**
   * Whether the sums over the examples of a step are the same as before.
   *
   * @throws UsageException if steps have more or fewer examples
   */
  private boolean sameSteps(TrainingConfig config, int ranks, boolean separable) {
    TrainingConfig before = withSavedMicroBatch(config);
    long examples = config.batching().examplesOfStep() * ranks;
    long had = before.batching().examplesOfStep() * state.ranks();
    if (examples != had && state.ranks() != ranks) {
      throw new UsageException(
          "per_device_train_batch_size",
          OptionText.of(
              "x {gradient_accumulation_steps} x ranks must be the %d examples that a step had",
              had),
          "is %d x %d x %d"
              .formatted(
                  config.batching().perDeviceTrainBatchSize(),
                  config.batching().gradientAccumulationSteps(),
                  ranks),
          "there were %s before".formatted(ShortNumber.count(state.ranks(), "rank")));
    }
    boolean dropout = config.lora().usePeft() && !config.lora().disableDropout();
    boolean sameMicroBatches =
        before.batching().perDeviceTrainBatchSize() == config.batching().perDeviceTrainBatchSize();
    return examples == had && (sameMicroBatches || (separable && !dropout));
  }

  private void noteLength(TrainingConfig config, Trainer.Settings settings, RunOutput output) {
    String change =
        "the run was planned for %s and is now for %d"
            .formatted(StepDescriptions.steps(state.maxSteps()), settings.maxSteps());
    if (step() >= settings.maxSteps()) {
      output.note(change);
      return;
    }
    LearningRateSchedule before = config.learningRate(state.maxSteps());
    LearningRateSchedule now = settings.schedule();
    int common = Math.max(step() + 1, Math.min(settings.maxSteps(), state.maxSteps()));
    OptionalInt changed =
        IntStream.range(step(), common).filter(step -> before.at(step) != now.at(step)).findFirst();
    output.note(
        changed.isEmpty()
            ? change + "; the learning rate goes on as it was"
            : change
                + "; %sstep %d has a learning rate of %.3g, where the shorter or longer schedule had %.3g"
                    .formatted(
                        changed.getAsInt() == step()
                            ? ""
                            : "the learning rate stays as it was until step %d, and "
                                .formatted(changed.getAsInt()),
                        changed.getAsInt() + 1,
                        now.at(changed.getAsInt()),
                        before.at(changed.getAsInt())));
  }

  /** Puts the saved state into a session. */
  void restore(TrainingSession session, ModelBundle inputs) {
    session.restore(state.numbers(), state.layout(), new SavedTensors(folder, inputs));
  }

  /** Puts the weights of a checkpoint into a session. */
  static void restoreWeights(Path checkpoint, TrainingSession session, ModelBundle inputs) {
    session.replaceWeights(new SavedTensors(checkpoint, inputs));
  }
}
