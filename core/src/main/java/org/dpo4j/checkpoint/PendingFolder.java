package org.dpo4j.checkpoint;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.dpo4j.UsageException;
import org.jspecify.annotations.Nullable;

/**
 * A folder under a pending name, with a locked file in it: the lock shows other runs that the
 * folder's owner is alive. The process id in the name could not show that, since ids repeat across
 * containers and after a restart. A lock ends with its process.
 */
final class PendingFolder {
  private static final String LOCK_NAME = ".dpo4j-lock";

  // Locks belong to the process, and closing any channel to the file releases them, so runs inside
  // this process must not try.
  private static final Set<Path> HELD_HERE = ConcurrentHashMap.newKeySet();

  private final Path path;
  private final FileChannel channel;

  private PendingFolder(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  /**
   * Creates the pending folder for an output named {@code name} inside {@code parent}, and removes
   * those of dead runs for the same output.
   *
   * @throws UsageException when another live run has one there
   */
  static PendingFolder create(Path parent, String name) throws IOException {
    removeStale(parent, name);
    Path path = parent.resolve("." + name + ".pending-" + ProcessHandle.current().pid());
    Files.createDirectory(path);
    HELD_HERE.add(path);
    try {
      FileChannel channel =
          FileChannel.open(
              path.resolve(LOCK_NAME), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
      tryLock(channel);
      return new PendingFolder(path, channel);
    } catch (IOException | RuntimeException e) {
      HELD_HERE.remove(path);
      FileTrees.delete(path);
      throw e;
    }
  }

  /**
   * Whether {@code entry} is the pending folder of a run that has not finished, for an output named
   * {@code name}. A folder without a lock file is finished: its run died during the final renames.
   */
  static boolean isUnfinished(Path entry, String name) {
    return Pattern.matches(
            "\\." + Pattern.quote(name) + "\\.pending-\\d+", entry.getFileName().toString())
        && Files.exists(entry.resolve(LOCK_NAME), LinkOption.NOFOLLOW_LINKS);
  }

  Path path() {
    return path;
  }

  /** Releases the lock and removes its file, so that only output files are left. */
  void unlock() throws IOException {
    // The file first: an unlocked file would look like that of a dead run.
    Files.deleteIfExists(path.resolve(LOCK_NAME));
    channel.close();
    HELD_HERE.remove(path);
  }

  void delete() throws IOException {
    channel.close();
    FileTrees.delete(path);
    HELD_HERE.remove(path);
  }

  private static void removeStale(Path parent, String name) throws IOException {
    for (Path entry : FileTrees.entries(parent)) {
      if (!isUnfinished(entry, name)) {
        continue;
      }
      if (isAlive(entry)) {
        throw new UsageException(
            "output_dir",
            "must not be in use by another run",
            "%s belongs to one that is still writing".formatted(entry),
            "wait for it or choose another folder");
      }
      FileTrees.delete(entry);
    }
  }

  private static boolean isAlive(Path pending) {
    if (HELD_HERE.contains(pending)) {
      return true;
    }
    try (FileChannel channel =
        FileChannel.open(pending.resolve(LOCK_NAME), StandardOpenOption.WRITE)) {
      return tryLock(channel) == null;
    } catch (IOException e) {
      return true;
    }
  }

  private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException e) {
      return null;
    }
  }
}
