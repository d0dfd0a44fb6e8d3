package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.config.CacheFolder;
import org.dpo4j.config.ReferenceChoice;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.options.MemorySize;
import org.dpo4j.torch.ElementType;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.ModelFolder;

/**
 * What a run writes, in bytes. The encoded pairs are gone before the result is written, the
 * reference's numbers stay.
 *
 * @param type of the saved weights, the largest that it can be
 * @param weights of the saved model or adapter
 * @param files beside them: tokenizer, records, curves
 * @param pairs the file of encoded pairs
 * @param cache what is kept of the reference
 */
record DiskNeed(ElementType type, long weights, long files, long pairs, long cache) {

  /** Model card, configuration, results and curves. */
  private static final long RECORDS = 1_000_000;

  /** Less is not worth a word. */
  private static final long SIZEABLE = 1_000_000;

  private static final long LOG_LINE = 1_000;
  private static final long CACHE_OF_PAIR = 2 * Double.BYTES;

  /** Of a whole model. */
  static DiskNeed ofModel(Checkpoint checkpoint, ElementType type) {
    long elements =
        checkpoint.names().stream().mapToLong(name -> checkpoint.entry(name).elements()).sum();
    return of(checkpoint, elements, type);
  }

  /**
   * Of weights that are saved beside a copy of the tokenizer.
   *
   * @param elements how many numbers are saved
   */
  static DiskNeed of(Checkpoint checkpoint, long elements, ElementType type) {
    long copied = new ModelFolder(checkpoint.folder()).copiedBytes();
    return new DiskNeed(type, elements * type.bytes(), copied + RECORDS, 0, 0);
  }

  /**
   * The same with what training writes on the way.
   *
   * @param logLines in the records
   */
  DiskNeed training(TrainingConfig config, TrainingPairs data, long logLines) {
    boolean keeps =
        CacheFolder.of(config).isPresent()
            && config.loss().referenceChoice() != ReferenceChoice.NONE
            && !config.loss().syncRefModel();
    long count = data.datasets().stream().mapToLong(dataset -> dataset.pairs().size()).sum();
    return new DiskNeed(
        type,
        weights,
        files + logLines * LOG_LINE,
        data.bytes(),
        keeps ? count * CACHE_OF_PAIR : 0);
  }

  /** The most that is on the disk at one time. */
  long most() {
    return Math.max(weights + files, pairs) + cache;
  }

  /** The parts, for people. */
  String words() {
    List<String> parts = new ArrayList<>();
    parts.add("weights as %s %s".formatted(type.torchName(), MemorySize.text(weights)));
    parts.add("other files " + MemorySize.text(files));
    if (cache >= SIZEABLE) {
      parts.add("reference cache " + MemorySize.text(cache));
    }
    if (pairs >= SIZEABLE) {
      parts.add("before that encoded pairs " + MemorySize.text(pairs));
    }
    return String.join(", ", parts);
  }

  /**
   * Refuses to begin what cannot be finished.
   *
   * @param there bytes of it that are on the disk already
   * @throws DpoException if there is less room than is needed
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
              + OptionText.of(" {output_dir}"));
    }
  }
}
