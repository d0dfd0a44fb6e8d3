package org.dpo4j.data;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;

/**
 * What a process left that was killed while it unpacked a native library: files without a lock and
 * without a process id, so that only their age tells that nobody writes them.
 */
public final class Leftovers {
  /** Unpacking takes less than a second. */
  private static final Duration OLD = Duration.ofMinutes(1);

  private Leftovers() {}

  /**
   * Removes old files, and old folders of files, from a folder that other programs may use too.
   *
   * @param folder need not exist
   * @param glob the names of what is only there while it is unpacked
   */
  public static void remove(Path folder, String glob) {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, glob)) {
      for (Path entry : entries) {
        if (Files.getLastModifiedTime(entry).toInstant().isBefore(Instant.now().minus(OLD))) {
          removeEntry(entry);
        }
      }
    } catch (IOException e) {
      return; // not there, or of another user
    }
  }

  private static void removeEntry(Path entry) throws IOException {
    if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(entry)) {
        for (Path file : files) {
          Files.deleteIfExists(file);
        }
      }
    }
    Files.deleteIfExists(entry);
  }
}
