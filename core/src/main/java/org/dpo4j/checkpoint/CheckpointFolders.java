package org.dpo4j.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.data.FileFailure;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folders {@code checkpoint-STEP} of an output folder. Each appears complete or not at all: it
 * is written under a pending name, gets a list of checksums, is forced to the device and renamed.
 */
public final class CheckpointFolders {

  private static final String PREFIX = "checkpoint-";
  private static final Pattern NAME = Pattern.compile(PREFIX + "\\d{1,9}");

  /** Before the name of a checkpoint that the same step of a continued run replaces. */
  private static final String REPLACED = ".dpo4j-previous-";

  /** What to do after a file could not be written, if there is no checkpoint. */
  static final String RUN_AGAIN =
      OptionText.of("make room, check the disk or name another {output_dir}, and run again");

  private static final Logger LOG = LoggerFactory.getLogger(CheckpointFolders.class);

  private final Path target;

  CheckpointFolders(Path target) {
    this.target = target;
  }

  /** All checkpoints of a folder, the newest first; none if there is no such folder. */
  static Stream<Path> in(Path target) throws IOException {
    if (!Files.isDirectory(target)) {
      return Stream.empty();
    }
    return FileTrees.entries(target).stream()
        .filter(entry -> NAME.matcher(String.valueOf(entry.getFileName())).matches())
        .filter(Files::isDirectory)
        .sorted(Comparator.comparingInt(CheckpointFolders::step).reversed());
  }

  /** The step in a checkpoint's name. */
  public static int step(Path checkpoint) {
    return Integer.parseInt(String.valueOf(checkpoint.getFileName()).substring(PREFIX.length()));
  }

  /** The folder of a step, whether or not it exists. */
  public Path of(int step) {
    return target.resolve(PREFIX + step);
  }

  /** All checkpoints, the newest first. */
  public List<Path> all() {
    try {
      return in(target).toList();
    } catch (IOException e) {
      throw new DpoException(
          "[%s] could not be read: %s".formatted(target, FileFailure.reason(e)), e);
    }
  }

  /**
   * Saves a checkpoint. One of the same step is replaced: a run that continues from an earlier step
   * passes it again.
   *
   * @param content writes the files into the folder that it is given, which exists
   * @return the folder
   * @throws DpoException if that fails; earlier checkpoints are as they were
   */
  public Path save(int step, OutputFolder.Content content) {
    Path place = of(step);
    Path pending = target.resolve(Publication.PENDING + PREFIX + step);
    try {
      FileTrees.delete(pending);
      Files.createDirectory(pending);
      content.writeTo(pending);
      Checksums.write(pending);
      FileTrees.force(pending);
      Path replaced = target.resolve(REPLACED + PREFIX + step);
      if (Files.exists(place)) {
        FileTrees.delete(replaced);
        FileTrees.rename(place, replaced);
      }
      FileTrees.rename(pending, place);
      try {
        FileTrees.forceFolder(target);
      } catch (IOException e) {
        FileTrees.rename(place, pending); // it may be lost, so that the earlier ones must stay
        throw e;
      }
      forgetReplaced(replaced);
      return place;
    } catch (IOException e) {
      throw notSaved(place, pending, e, FileFailure.reason(e));
    } catch (UncheckedIOException e) {
      throw notSaved(place, pending, e, FileFailure.reason(Objects.requireNonNull(e.getCause())));
    } catch (DpoException e) {
      String reason =
          e.getCause() instanceof IOException cause ? FileFailure.reason(cause) : e.text();
      throw notSaved(place, pending, e, reason);
    }
  }

  /** What cannot be deleted now is deleted by the next run: the checkpoint is saved. */
  private void forgetReplaced(Path replaced) {
    try {
      FileTrees.delete(replaced);
      LiveFiles.forgetEarlier(target);
    } catch (IOException e) {
      LOG.warn("Cannot remove replaced checkpoints in {}: {}", target, FileFailure.reason(e));
    }
  }

  /** Puts back a checkpoint whose replacement did not get its name. */
  static void recover(Path target) throws IOException {
    for (Path entry : FileTrees.entries(target)) {
      String name = String.valueOf(entry.getFileName());
      if (name.startsWith(REPLACED)) {
        Path place = target.resolve(name.substring(REPLACED.length()));
        if (Files.exists(place)) {
          FileTrees.delete(entry);
        } else {
          FileTrees.rename(entry, place);
        }
      }
    }
  }

  private DpoException notSaved(Path place, Path pending, Exception failure, String reason) {
    try {
      FileTrees.delete(pending);
      recover(target);
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
    return new DpoException(
        "%s could not be saved: %s; %s".formatted(place, reason, howToGoOn()), failure);
  }

  /** What to do after a file could not be written. */
  String howToGoOn() {
    return all().stream()
        .findFirst()
        .map(
            saved ->
                OptionText.of(
                    "%s was saved before: make room or check the disk, and repeat the command with"
                        + " {resume_from_checkpoint} true",
                    saved.getFileName()))
        .orElse(RUN_AGAIN);
  }

  /**
   * Deletes the oldest checkpoints.
   *
   * @param keep how many stay; 0 for all
   * @param needed these stay and count
   */
  public void prune(int keep, Set<Path> needed) {
    if (keep == 0) {
      return;
    }
    List<Path> newestFirst = all();
    long spare = keep - newestFirst.stream().filter(needed::contains).count();
    for (Path checkpoint : newestFirst) {
      if (!needed.contains(checkpoint) && --spare < 0) {
        delete(checkpoint);
      }
    }
  }

  /** Renames first: half of a checkpoint must not have a checkpoint's name. */
  private void delete(Path checkpoint) {
    Path pending = target.resolve(Publication.PENDING + "deleted-" + checkpoint.getFileName());
    try {
      FileTrees.rename(checkpoint, pending);
      FileTrees.delete(pending);
    } catch (IOException e) {
      throw new DpoException(
          "%s could not be deleted: %s".formatted(checkpoint, FileFailure.reason(e)), e);
    }
  }

  /**
   * Checks all files of a checkpoint against their checksums.
   *
   * @throws DamagedCheckpointException if a file is missing or has other bytes
   */
  public static void verify(Path checkpoint) {
    try {
      Checksums.verify(checkpoint);
    } catch (IOException e) {
      throw new DamagedCheckpointException(checkpoint, FileFailure.reason(e));
    } catch (UncheckedIOException e) {
      throw new DamagedCheckpointException(
          checkpoint, FileFailure.reason(Objects.requireNonNull(e.getCause())));
    }
  }

  /**
   * The newest checkpoint of a folder that passes {@link #verify}.
   *
   * @param target need not exist
   * @param damaged receives each newer one that does not
   * @return empty if there is no checkpoint
   * @throws DpoException if all are damaged
   */
  public static Optional<Path> newestGood(
      Path target, Consumer<DamagedCheckpointException> damaged) {
    List<Path> all = new CheckpointFolders(target).all();
    for (Path checkpoint : all) {
      try {
        verify(checkpoint);
        return Optional.of(checkpoint);
      } catch (DamagedCheckpointException e) {
        damaged.accept(e);
      }
    }
    if (!all.isEmpty()) {
      throw new DpoException(
          "[%s] has no checkpoint that is whole; restore one from a backup, or start again in another folder"
              .formatted(target));
    }
    return Optional.empty();
  }
}
