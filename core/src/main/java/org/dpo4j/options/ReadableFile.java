package org.dpo4j.options;

import java.nio.file.Files;
import java.nio.file.Path;
import org.dpo4j.UsageException;

/** Checks that an option names a readable file, before any work starts. */
public final class ReadableFile {

  private ReadableFile() {}

  /**
   * Checks one file.
   *
   * @param option the option's name, without dashes
   * @throws UsageException if the path is a folder, not readable or not there
   */
  public static void require(String option, Path path) {
    if (Files.isDirectory(path) || !Files.isReadable(path)) {
      throw new UsageException(
          option,
          "must be a file that can be read",
          "was %s, which is %s"
              .formatted(
                  path,
                  Files.isDirectory(path)
                      ? "a folder"
                      : Files.exists(path) ? "not readable" : "not there" + from(path)),
          "check the path");
    }
  }

  /** The working directory, for a message about a relative path; empty for an absolute one. */
  public static String from(Path path) {
    return path.isAbsolute() ? "" : " (seen from " + Path.of("").toAbsolutePath() + ")";
  }
}
