package org.dpo4j.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Replaces a folder's finished files by those of a pending folder inside it, with renames alone.
 * The names of hidden folders record how far it is, so that the next run can complete it if the
 * process dies:
 *
 * <pre>
 *   .dpo4j-pending-ID    being written; deleted by the next run
 *   .dpo4j-complete-ID   written and forced to the device; old files move to .dpo4j-replaced-ID
 *   .dpo4j-moving-ID     old files are out of the way; new files move into the folder
 * </pre>
 *
 * <p>Files of a live run ({@link LiveFiles}) stay. {@code config.json} (of an adapter {@code
 * adapter_config.json}) is removed first and added last, so that no loader accepts a folder in
 * between.
 */
final class Publication {

  static final String PENDING = ".dpo4j-pending-";
  private static final String COMPLETE = ".dpo4j-complete-";
  private static final String MOVING = ".dpo4j-moving-";
  private static final String REPLACED = ".dpo4j-replaced-";

  private record Done(Path from, Path to) {}

  private static final Comparator<Path> CONFIG_FIRST =
      Comparator.comparing(
          entry -> !entry.endsWith("config.json") && !entry.endsWith("adapter_config.json"));

  private final Path target;
  private final OutputFolder.Move move;
  private final Deque<Done> done = new ArrayDeque<>();

  Publication(Path target, OutputFolder.Move move) {
    this.target = target;
    this.move = move;
  }

  /**
   * Puts the files in place.
   *
   * @param pending forced to the device
   * @throws IOException if a rename fails; earlier ones are undone but for the first, so that the
   *     next run tries again
   */
  void run(Path pending) throws IOException {
    String id = String.valueOf(pending.getFileName()).substring(PENDING.length());
    Path complete = target.resolve(COMPLETE + id);
    move.move(pending, complete);
    FileTrees.forceFolder(target);
    try {
      moveNew(moveOld(complete, id));
    } catch (IOException e) {
      undo(e);
      throw e;
    }
  }

  /** Completes or removes what a dead run left; call it with the lock held. */
  void recover() throws IOException {
    for (Path entry : FileTrees.entries(target)) {
      String name = String.valueOf(entry.getFileName());
      if (name.startsWith(PENDING)) {
        FileTrees.delete(entry);
      } else if (name.startsWith(COMPLETE)) {
        moveNew(moveOld(entry, name.substring(COMPLETE.length())));
      } else if (name.startsWith(MOVING)) {
        moveNew(entry);
      }
    }
    deleteReplaced();
  }

  /** The folder of complete files that could not be put in place; empty if there is none. */
  Optional<Path> complete() throws IOException {
    return FileTrees.entries(target).stream()
        .filter(entry -> String.valueOf(entry.getFileName()).startsWith(COMPLETE))
        .findFirst();
  }

  private Path moveOld(Path complete, String id) throws IOException {
    Set<String> fresh = new HashSet<>();
    for (Path entry : FileTrees.entries(complete)) {
      fresh.add(String.valueOf(entry.getFileName()));
    }
    Path replaced = target.resolve(REPLACED + id);
    for (Path old : sorted(target, CONFIG_FIRST)) {
      String name = String.valueOf(old.getFileName());
      if (fresh.contains(name) || TargetFolder.isResult(name) || LiveFiles.isAside(name)) {
        if (Files.notExists(replaced)) {
          Files.createDirectory(replaced);
        }
        rename(old, replaced.resolve(name));
      }
    }
    Path moving = target.resolve(MOVING + id);
    rename(complete, moving);
    return moving;
  }

  private void moveNew(Path moving) throws IOException {
    for (Path fresh : sorted(moving, CONFIG_FIRST.reversed())) {
      rename(fresh, target.resolve(fresh.getFileName()));
    }
    FileTrees.forceFolder(
        target); // while undoing is possible, and before the old files are deleted
    Files.delete(moving);
  }

  /** Deletes the old files; they are not needed any more. */
  void deleteReplaced() throws IOException {
    for (Path entry : FileTrees.entries(target)) {
      if (String.valueOf(entry.getFileName()).startsWith(REPLACED)) {
        FileTrees.delete(entry);
      }
    }
  }

  private static List<Path> sorted(Path folder, Comparator<Path> order) throws IOException {
    return FileTrees.entries(folder).stream().sorted(order).toList();
  }

  private void rename(Path from, Path to) throws IOException {
    move.move(from, to);
    done.push(new Done(from, to));
  }

  private void undo(IOException cause) {
    while (!done.isEmpty()) {
      Done last = done.pop();
      try {
        move.move(last.to(), last.from());
      } catch (IOException e) {
        cause.addSuppressed(e);
      }
    }
    try {
      for (Path entry : FileTrees.entries(target)) {
        if (String.valueOf(entry.getFileName()).startsWith(REPLACED)) {
          // If it is not empty, undoing failed as well: the old files in it must be kept.
          Files.deleteIfExists(entry);
        }
      }
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }
}
