package org.dpo4j.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * A file that is written under a pending name beside its target, and renamed when it is complete.
 * Its writer holds a lock on it, so that a later run recognizes and removes what a killed process
 * left, and leaves alone what another run still writes.
 */
public final class PendingFile implements AutoCloseable {
  private static final String MARK = ".pending-";
  private static final String END = ".tmp";

  // A process loses its lock on a file when it closes any channel to it, so it must not try its
  // own.
  private static final Set<Path> HELD_HERE = ConcurrentHashMap.newKeySet();

  private final Path target;
  private final Path path;
  private final FileChannel channel;
  private final boolean kept;

  private PendingFile(Path target, Path path, FileChannel channel, boolean kept) {
    this.target = target;
    this.path = path;
    this.channel = channel;
    this.kept = kept;
  }

  /**
   * Starts a file.
   *
   * @param target its name when it is complete, in an existing folder
   * @throws IOException if nothing can be written there
   */
  public static PendingFile create(Path target) throws IOException {
    Path place = target.toAbsolutePath().normalize();
    while (true) {
      Path path = place.resolveSibling("." + place.getFileName() + MARK + UUID.randomUUID() + END);
      HELD_HERE.add(path);
      FileChannel channel = null;
      try {
        channel = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        lock(channel);
        if (Files.exists(path)) {
          return new PendingFile(place, path, channel, false);
        }
      } catch (IOException | RuntimeException e) {
        if (channel != null) { // the file is ours, and empty: interrupted while it was locked
          remove(path, e);
        }
        release(path, channel);
        Path folder = place.getParent();
        if (e instanceof NoSuchFileException && folder != null && Files.isDirectory(folder)) {
          throw new FileSystemException(place.toString(), null, "its folder takes no files");
        }
        throw e;
      }
      release(path, channel); // another run took the unlocked file for a dead one's
    }
  }

  /**
   * Opens a file that stays where it is until it is published, for a later process to continue.
   *
   * @param target its name when it is complete, in an existing folder
   * @param path its name until then, in the same folder
   * @throws IOException if nothing can be written there, or another run writes there now
   */
  public static PendingFile kept(Path target, Path path) throws IOException {
    Path place = path.toAbsolutePath().normalize();
    if (!HELD_HERE.add(place)) {
      throw new IOException("another run in this process writes " + path);
    }
    FileChannel channel = null;
    try {
      channel =
          FileChannel.open(
              place, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      if (isLockedElsewhere(channel)) {
        throw new IOException("another run writes " + path);
      }
      return new PendingFile(target.toAbsolutePath().normalize(), place, channel, true);
    } catch (IOException | RuntimeException e) {
      release(place, channel);
      throw e;
    }
  }

  private static boolean isLockedElsewhere(FileChannel channel) throws IOException {
    try {
      return channel.tryLock() == null;
    } catch (IOException e) {
      if (channel.isOpen()) {
        return false; // a file system without locks
      }
      throw e; // interrupted
    }
  }

  /**
   * Removes the pending files of writers that have died.
   *
   * @param name how the names of the targets begin
   */
  public static void removeStale(Path folder, String name) {
    Path place = folder.toAbsolutePath().normalize();
    try (DirectoryStream<Path> entries =
        Files.newDirectoryStream(place, entry -> isPending(entry, name))) {
      for (Path entry : entries) {
        removeIfStale(entry);
      }
    } catch (IOException e) {
      return; // there is no such folder, or it cannot be read: nothing to remove
    }
  }

  private static boolean isPending(Path entry, String name) {
    String found = String.valueOf(entry.getFileName());
    return found.startsWith("." + name) && found.contains(MARK) && found.endsWith(END);
  }

  private static void removeIfStale(Path entry) {
    if (HELD_HERE.contains(entry)) {
      return;
    }
    try (FileChannel channel = FileChannel.open(entry, StandardOpenOption.WRITE)) {
      if (channel.tryLock() != null) {
        Files.deleteIfExists(entry);
      }
    } catch (IOException | OverlappingFileLockException e) {
      return; // in use, or not ours to remove
    }
  }

  /**
   * Writes a whole file, which appears under its name when it is complete.
   *
   * @param target replaced if it exists
   * @throws IOException if that fails; the target is as it was
   */
  public static void write(Path target, byte[] content) throws IOException {
    try (PendingFile file = create(target)) {
      ByteBuffer bytes = ByteBuffer.wrap(content);
      while (bytes.hasRemaining()) {
        file.channel().write(bytes);
      }
      file.publish();
    }
  }

  /** The name while it is written. */
  public Path path() {
    return path;
  }

  /** Where the content goes; closed with this file. */
  public FileChannel channel() {
    return channel;
  }

  /**
   * Forces the content to the device and renames the file; replaces the target.
   *
   * @throws IOException if that fails; the target is as it was
   */
  public void publish() throws IOException {
    channel.force(true); // otherwise a power cut can leave an empty file
    try {
      Files.move(path, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(path, target, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /**
   * Removes the file unless it was published, or is {@linkplain #kept kept} and not empty.
   *
   * @throws IOException if it cannot be removed
   */
  @Override
  public void close() throws IOException {
    try {
      if (!kept || (Files.exists(path) && Files.size(path) == 0)) {
        Files.deleteIfExists(path);
      }
    } finally {
      release(path, channel);
    }
  }

  /** Waits at most for a run that looks whether this file is stale. */
  private static @Nullable FileLock lock(FileChannel channel) throws IOException {
    try {
      return channel.lock();
    } catch (IOException e) {
      if (channel.isOpen()) {
        return null; // a file system without locks, on which nobody removes anything
      }
      throw e; // interrupted
    }
  }

  private static void remove(Path path, Exception failure) {
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  private static void release(Path path, @Nullable FileChannel channel) {
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      // It was opened for a lock that is of no use any more.
      return;
    } finally {
      HELD_HERE.remove(path);
    }
  }
}
