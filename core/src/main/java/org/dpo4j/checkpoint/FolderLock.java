package org.dpo4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.dpo4j.UsageException;

/**
 * The right to write into a folder: an operating system's lock on the file {@code .dpo4j-lock} in
 * it. The lock ends with its process, however the process ends; process ids decide nothing, since
 * they repeat across containers. The file names its owner for the message to a second run.
 */
final class FolderLock implements AutoCloseable {

  static final String NAME = ".dpo4j-lock";

  private static final int LONGEST_OWNER = 200;
  private static final int LARGEST_PADDING = 1 << 14;
  private static final SecureRandom RANDOM = new SecureRandom();

  // Locks belong to the process, and closing any channel to the file releases them, so runs inside
  // this process must not try.
  private static final Set<Path> HELD_HERE = ConcurrentHashMap.newKeySet();

  private final Path file;
  private final FileChannel channel;

  private FolderLock(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /**
   * Locks a folder.
   *
   * @param folder exists; absolute, links resolved
   * @throws UsageException if another run holds the lock
   */
  static FolderLock acquire(Path folder) throws IOException {
    Path file = folder.resolve(NAME);
    if (!HELD_HERE.add(file)) {
      throw inUse(folder, "this process");
    }
    try {
      while (true) {
        Optional<FolderLock> lock = tryAcquire(folder, file);
        if (lock.isPresent()) {
          return lock.get();
        }
      }
    } catch (IOException | RuntimeException e) {
      HELD_HERE.remove(file);
      throw e;
    }
  }

  /** Empty if the file was removed by its last owner after it was opened. */
  private static Optional<FolderLock> tryAcquire(Path folder, Path file) throws IOException {
    FileChannel channel =
        FileChannel.open(
            file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try {
      if (!locked(channel)) {
        throw inUse(folder, owner(file));
      }
      // A random size tells whether the name still leads to the locked file. Reading the file would
      // not do: closing a second channel releases the lock.
      String owner = describeThisProcess() + "\n".repeat(1 + RANDOM.nextInt(LARGEST_PADDING));
      channel.truncate(0);
      channel.write(ByteBuffer.wrap(owner.getBytes(StandardCharsets.UTF_8)), 0);
      if (Files.size(file) == channel.size()) {
        return Optional.of(new FolderLock(file, channel));
      }
    } catch (NoSuchFileException e) {
      // Removed between opening and locking.
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
    channel.close();
    return Optional.empty();
  }

  private static boolean locked(FileChannel channel) throws IOException {
    try {
      return channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      return false;
    }
  }

  private static String describeThisProcess() {
    String host = System.getenv().getOrDefault("HOSTNAME", "");
    return "process %d%s, since %s"
        .formatted(
            ProcessHandle.current().pid(),
            host.isBlank() ? "" : " on " + host,
            Instant.now().truncatedTo(ChronoUnit.SECONDS));
  }

  private static String owner(Path file) {
    try {
      String text = Files.readString(file).replaceAll("\\p{Cntrl}", "");
      return text.isBlank() || text.length() > LONGEST_OWNER ? "another process" : text;
    } catch (IOException e) {
      return "another process"; // Windows does not let others read a locked file.
    }
  }

  private static UsageException inUse(Path folder, String owner) {
    return new UsageException(
        "output_dir",
        "must not be in use by another run",
        "%s is being written by %s".formatted(folder, owner),
        "wait for it or choose another folder");
  }

  /** Removes the file and releases the lock; a second call has no effect. */
  @Override
  public void close() throws IOException {
    if (channel.isOpen()) {
      try {
        // The file first: a run that opened it before finds that the name is gone.
        Files.deleteIfExists(file);
      } finally {
        channel.close();
        HELD_HERE.remove(file);
      }
    }
  }
}
