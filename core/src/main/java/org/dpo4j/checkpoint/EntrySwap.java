package org.dpo4j.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;

/**
 * Replaces a folder's entries by those of a pending folder inside it, using only renames; if one
 * fails, the earlier ones are undone in reverse order.
 */
final class EntrySwap {
  private record Done(Path from, Path to) {}

  private static final Comparator<Path> CONFIG_FIRST =
      Comparator.comparing(
          entry -> !entry.endsWith("config.json") && !entry.endsWith("adapter_config.json"));

  private final Path target;
  private final Path pending;
  private final OutputFolder.Move move;
  private final Deque<Done> done = new ArrayDeque<>();

  EntrySwap(Path target, Path pending, OutputFolder.Move move) {
    this.target = target;
    this.pending = pending;
    this.move = move;
  }

  /** Swaps and returns the folder that now holds the old entries. */
  Path run() throws IOException {
    Path replaced = Files.createDirectory(target.resolve(pending.getFileName() + ".replaced"));
    try {
      for (Path old : sorted(target, CONFIG_FIRST)) {
        if (!old.equals(pending) && !old.equals(replaced)) {
          rename(old, replaced.resolve(old.getFileName()));
        }
      }
      for (Path fresh : sorted(pending, CONFIG_FIRST.reversed())) {
        rename(fresh, target.resolve(fresh.getFileName()));
      }
      Files.delete(pending);
      return replaced;
    } catch (IOException e) {
      undo(e);
      deleteIfEmpty(replaced, e);
      throw e;
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
  }

  /** If it is not empty, the undo failed as well: it has the old files, which must be kept. */
  private static void deleteIfEmpty(Path replaced, IOException cause) {
    try {
      Files.deleteIfExists(replaced);
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }
}
