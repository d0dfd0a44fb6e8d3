package org.dpo4j.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.regex.Pattern;

/**
 * The files that a run writes into its output folder before it ends: checkpoints, {@code
 * metrics.jsonl}, and reproductions of steps that failed.
 *
 * <p>A run that overwrites the output of an earlier one sets the earlier live files aside, and
 * deletes them when it has saved something itself.
 */
final class LiveFiles {

  static final String METRICS = "metrics.jsonl";

  private static final Pattern NAME =
      Pattern.compile("checkpoint-\\d+|metrics\\.jsonl|nonfinite-step-\\d+");
  private static final String ASIDE = ".dpo4j-earlier";

  private LiveFiles() {}

  static boolean isLive(String name) {
    return NAME.matcher(name).matches();
  }

  private static List<Path> live(Path target) throws IOException {
    return FileTrees.entries(target).stream()
        .filter(entry -> isLive(String.valueOf(entry.getFileName())))
        .toList();
  }

  static void setAside(Path target) throws IOException {
    List<Path> live = live(target);
    if (!live.isEmpty()) {
      Path aside = target.resolve(ASIDE);
      Files.createDirectories(aside);
      for (Path entry : live) {
        move(entry, aside.resolve(entry.getFileName()));
      }
    }
  }

  /** Deletes the files that were set aside. */
  static void forgetEarlier(Path target) throws IOException {
    FileTrees.delete(target.resolve(ASIDE));
  }

  /**
   * Removes the metrics of a run that ended before it saved anything, and puts earlier files back.
   * Call it with the lock held.
   */
  static void restore(Path target) throws IOException {
    if (CheckpointFolders.in(target).findAny().isPresent()) {
      forgetEarlier(target);
      return;
    }
    Path aside = target.resolve(ASIDE);
    if (Files.exists(aside) || FileTrees.entries(target).stream().noneMatch(LiveFiles::isKept)) {
      Files.deleteIfExists(target.resolve(METRICS));
    }
    if (Files.exists(aside)) {
      for (Path entry : FileTrees.entries(aside)) {
        move(entry, target.resolve(entry.getFileName()));
      }
      Files.delete(aside);
    }
  }

  /** Whether an entry is more than the metrics and hidden files of a run. */
  private static boolean isKept(Path entry) {
    String name = String.valueOf(entry.getFileName());
    return !name.equals(METRICS) && !name.startsWith(".dpo4j-");
  }

  private static void move(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
  }
}
