package org.dpo4j.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/**
 * The files that a run writes into its output folder before it ends: checkpoints, {@code
 * metrics.jsonl}, {@code ledger.jsonl}, {@code samples.jsonl}, {@code mlflow.json}, event files of
 * TensorBoard, and reproductions of steps that failed.
 *
 * <p>A run that overwrites the output of an earlier one sets the earlier live files aside, and
 * deletes them when it has saved something itself. The name of the hidden folder that holds them
 * records how far it is, so that the next run can put them back if the process dies:
 *
 * <pre>
 *   .dpo4j-earlier-moving  earlier files move into it or out of it; all others are earlier ones too
 *   .dpo4j-earlier         all earlier files are in it; the others are of the new run
 * </pre>
 */
final class LiveFiles {

  static final String METRICS = "metrics.jsonl";

  static final String LEDGER = "ledger.jsonl";

  static final String SAMPLES = "samples.jsonl";

  /** Names the run of MLflow. */
  static final String MLFLOW = "mlflow.json";

  /** The folder of event files; TensorBoard and transformers give it this name. */
  static final String EVENTS = "runs";

  private static final Pattern NAME =
      Pattern.compile(
          "checkpoint-\\d+|(metrics|ledger|samples)\\.jsonl|mlflow\\.json|"
              + EVENTS
              + "|nonfinite-step-\\d+");

  /** Our event files; the folder may hold those of other programs. */
  private static final Pattern EVENT_FILE =
      Pattern.compile("events\\.out\\.tfevents\\.\\d+\\.dpo4j");

  private static final String ASIDE = ".dpo4j-earlier";
  private static final String MOVING = ".dpo4j-earlier-moving";

  private LiveFiles() {}

  static boolean isLive(String name) {
    return NAME.matcher(name).matches();
  }

  private static List<Path> live(Path target) throws IOException {
    return FileTrees.entries(target).stream()
        .filter(entry -> isLive(String.valueOf(entry.getFileName())))
        .toList();
  }

  /** Whether an entry holds the files that were set aside. */
  static boolean isAside(String name) {
    return name.equals(ASIDE);
  }

  static void setAside(Path target) throws IOException {
    Path moving = Files.createDirectory(target.resolve(MOVING));
    for (Path entry : live(target)) {
      FileTrees.rename(entry, moving.resolve(entry.getFileName()));
    }
    FileTrees.rename(moving, target.resolve(ASIDE));
  }

  /** Deletes the files that were set aside. */
  static void forgetEarlier(Path target) throws IOException {
    FileTrees.delete(target.resolve(ASIDE));
  }

  /**
   * Deletes the event files of earlier runs and returns the place of a new one. TensorBoard reads
   * the files of a folder in the order of their names, and none twice.
   *
   * @param now in seconds since 1970
   */
  static Path newEvents(Path target, long now) throws IOException {
    Path folder = target.resolve(EVENTS);
    if (!Files.isDirectory(folder)) {
      Files.createDirectory(folder);
    }
    Path file;
    long seconds = now;
    do {
      file = folder.resolve("events.out.tfevents.%010d.dpo4j".formatted(seconds++));
    } while (Files.exists(file));
    deleteEvents(target);
    return file;
  }

  private static void deleteEvents(Path target) throws IOException {
    Path folder = target.resolve(EVENTS);
    if (Files.isDirectory(folder)) {
      for (Path entry : FileTrees.entries(folder)) {
        if (EVENT_FILE.matcher(String.valueOf(entry.getFileName())).matches()) {
          Files.delete(entry);
        }
      }
    }
  }

  private static void deleteMetrics(Path target) throws IOException {
    Files.deleteIfExists(target.resolve(METRICS));
    Files.deleteIfExists(target.resolve(LEDGER));
    Files.deleteIfExists(target.resolve(SAMPLES));
    Files.deleteIfExists(target.resolve(MLFLOW));
    deleteEvents(target);
    Path folder = target.resolve(EVENTS);
    if (Files.isDirectory(folder) && FileTrees.entries(folder).isEmpty()) {
      Files.delete(folder);
    }
  }

  /**
   * Removes the metrics of a run that ended before it saved anything, and puts earlier files back.
   * Call it with the lock held.
   */
  static void restore(Path target) throws IOException {
    Path aside = target.resolve(ASIDE);
    Path moving = target.resolve(MOVING);
    if (Files.exists(aside)) {
      if (CheckpointFolders.in(target).findAny().isPresent()) {
        forgetEarlier(target);
        return;
      }
      deleteMetrics(target);
      FileTrees.rename(aside, moving);
    }
    if (Files.exists(moving)) {
      putBack(moving, target);
    } else if (FileTrees.entries(target).stream().noneMatch(LiveFiles::isKept)) {
      deleteMetrics(target);
    }
  }

  private static void putBack(Path moving, Path target) throws IOException {
    for (Path entry : FileTrees.entries(moving)) {
      Path place = target.resolve(entry.getFileName());
      FileTrees.delete(place); // a reproduction of the same step
      FileTrees.rename(entry, place);
    }
    Files.delete(moving);
  }

  /** Whether an entry is more than the metrics and hidden files of a run. */
  private static boolean isKept(Path entry) {
    String name = String.valueOf(entry.getFileName());
    return !name.equals(METRICS)
        && !name.equals(LEDGER)
        && !name.equals(SAMPLES)
        && !name.equals(MLFLOW)
        && !name.equals(EVENTS)
        && !name.startsWith(".dpo4j-");
  }
}
