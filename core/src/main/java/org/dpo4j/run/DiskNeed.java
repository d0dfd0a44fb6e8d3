package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.config.CacheFolder;
import org.dpo4j.config.EvalStrategy;
import org.dpo4j.config.ReferenceChoice;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.options.MemorySize;
import org.dpo4j.torch.ElementType;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.ModelFolder;

/**
 * The disk space of a run in bytes. The encoded pairs are deleted before the result is written; the
 * reference's log-probabilities are kept.
 *
 * @param type the largest possible type of the saved weights
 * @param weights size of the saved model or adapter
 * @param files size of what is copied or small: other towers, tokenizer, records, curves
 * @param pairs the file of encoded pairs
 * @param cache the reference's log-probabilities
 * @param checkpoints those that are kept, and one that is being saved
 */
record DiskNeed(
    ElementType type, long weights, long files, long pairs, long cache, long checkpoints) {

  /** Model card, configuration, results and curves. */
  private static final long RECORDS = 1_000_000;

  /** Smaller needs are not mentioned. */
  private static final long SIZEABLE = 1_000_000;

  private static final long LOG_LINE = 1_000;
  private static final long CACHE_OF_PAIR = 2 * Double.BYTES;

  /** The need of a run that saves a whole model. */
  static DiskNeed ofModel(Checkpoint checkpoint, ElementType type) {
    long elements =
        checkpoint.names().stream().mapToLong(name -> checkpoint.entry(name).elements()).sum();
    DiskNeed own = of(checkpoint, elements, type);
    return new DiskNeed(type, own.weights, own.files + checkpoint.otherTowerBytes(), 0, 0, 0);
  }

  /**
   * The need for weights and a copy of the tokenizer.
   *
   * @param elements number of saved weights
   */
  static DiskNeed of(Checkpoint checkpoint, long elements, ElementType type) {
    long copied = new ModelFolder(checkpoint.folder()).copiedBytes();
    return new DiskNeed(type, elements * type.bytes(), copied + RECORDS, 0, 0, 0);
  }

  /**
   * This need plus the files written while training.
   *
   * @param steps of the run
   * @param stepsPerEpoch steps of an epoch
   * @param trained number of trained weights
   */
  DiskNeed training(
      TrainingConfig config, TrainingExamples data, int steps, int stepsPerEpoch, long trained) {
    boolean keeps =
        CacheFolder.of(config).isPresent()
            && config.loss().referenceChoice() != ReferenceChoice.NONE
            && !config.loss().syncRefModel();
    long count = data.datasets().stream().mapToLong(dataset -> dataset.examples().size()).sum();
    long logLines = steps / config.output().loggingSteps().steps(steps);
    return new DiskNeed(
        type,
        weights,
        files + logLines * LOG_LINE,
        data.bytes(),
        keeps ? count * CACHE_OF_PAIR : 0,
        checkpoints(config, steps, stepsPerEpoch) * checkpoint(config, trained, logLines));
  }

  /** Weights, moments, and the weights of a moving reference, all in float32. */
  private long checkpoint(TrainingConfig config, long trained, long logLines) {
    int state = config.optimizer().optim().moments() + (config.loss().syncRefModel() ? 1 : 0);
    int tensors = config.checkpoints().saveOnlyModel() ? 1 : 1 + state;
    return tensors * trained * ElementType.F32.bytes() + files + 2 * logLines * LOG_LINE;
  }

  /** How many checkpoints are on the disk at the same time. */
  private static long checkpoints(TrainingConfig config, int steps, int stepsPerEpoch) {
    TrainingConfig.Checkpoints options = config.checkpoints();
    int evaluations = config.evalInterval().steps(steps);
    long saved =
        switch (options.saveStrategy()) {
          case NO -> 0;
          case STEPS -> steps / options.saveSteps().steps(steps);
          case EPOCH -> steps / stepsPerEpoch;
          case BEST ->
              config.evaluation().evalStrategy() == EvalStrategy.EPOCH
                  ? steps / stepsPerEpoch
                  : steps / evaluations;
        };
    int kept = options.saveTotalLimit() + (options.tracksBest() ? 1 : 0);
    return options.saveTotalLimit() == 0 ? saved : Math.min(saved, kept + 1L);
  }

  /** The peak disk usage. */
  long most() {
    return Math.max(weights + files, pairs) + cache + checkpoints;
  }

  /** The parts, for messages. */
  String words() {
    List<String> parts = new ArrayList<>();
    parts.add("weights as %s %s".formatted(type.torchName(), MemorySize.text(weights)));
    parts.add("other files " + MemorySize.text(files));
    if (checkpoints > 0) {
      parts.add("checkpoints " + MemorySize.text(checkpoints));
    }
    if (cache >= SIZEABLE) {
      parts.add("reference cache " + MemorySize.text(cache));
    }
    if (pairs >= SIZEABLE) {
      parts.add("before that encoded rows " + MemorySize.text(pairs));
    }
    return String.join(", ", parts);
  }

  /**
   * Refuses a run that would fill the disk.
   *
   * @param there bytes that are already on the disk
   * @throws DpoException if there is too little free space
   */
  void require(Path outputDir, DiskSpace disk, long there) {
    OptionalLong usable = disk.usable(outputDir);
    if (usable.isPresent() && usable.getAsLong() + there < most()) {
      throw new DpoException(
          "%s must have room for %s (%s) but only %s are free there; make room%s, or name another"
                  .formatted(
                      outputDir,
                      MemorySize.text(most()),
                      words(),
                      MemorySize.text(usable.getAsLong() + there),
                      type.bytes() < ElementType.F32.bytes()
                          ? ""
                          : OptionText.of(", pass {save_dtype} bfloat16 for half of it"))
              + OptionText.of(" {output_dir}")
              + (checkpoints > 0
                  ? OptionText.of(
                      "; {save_total_limit} 1 or {save_strategy} no saves fewer checkpoints")
                  : ""));
    }
  }
}
