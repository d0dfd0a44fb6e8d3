package org.dpo4j.hub;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;

/**
 * A file of a commit.
 *
 * @param path with slashes, as the hub lists it; {@link #requireInside} before it is used
 * @param size in bytes
 * @param hash in lower-case hex: SHA-256 of a large file, else SHA-1 of git's blob
 */
record HubFile(String path, long size, String hash) {
  static final int SHA256_DIGITS = 64;

  private static final Pattern HASH = Pattern.compile("[0-9a-f]{40}|[0-9a-f]{64}");
  private static final int LONGEST_NAME = 255;

  /** What separates folders or names a drive on some system. */
  private static final Pattern UNSAFE = Pattern.compile("[\\p{Cntrl}\\\\]|^[A-Za-z]:");

  HubFile {
    if (!HASH.matcher(hash).matches() || size < 0) {
      throw new DpoException(
          "the hub must state size and hash of each file but for %s it states %d and \"%s\""
              .formatted(path, size, hash));
    }
  }

  /** Refuses a path that leads out of the folder, or to files of our own in it. */
  void requireInside() {
    if (!isInside()) {
      throw new DpoException(
          "the names of a repository must lead to places in one folder but one is \"%s\"; nothing of"
                  .formatted(path)
              + " it was fetched, and whoever made it may mean harm");
    }
  }

  private boolean isInside() {
    return !UNSAFE.matcher(path).find()
        && Arrays.stream(path.split("/", -1))
            .allMatch(
                name ->
                    !name.isBlank()
                        && !name.equals(".")
                        && !name.equals("..")
                        && !name.toLowerCase(Locale.ROOT).startsWith(".dpo4j-")
                        && name.length() <= LONGEST_NAME);
  }

  boolean isSha256() {
    return hash.length() == SHA256_DIGITS;
  }

  /**
   * The path, or only its last part, of this system.
   *
   * @throws DpoException if the system has no such names
   */
  Path place(boolean whole) {
    try {
      return Path.of(whole ? path : name());
    } catch (InvalidPathException e) {
      throw new DpoException(
          "the names of a repository must be such that this system can write but one is \"%s\" (%s); if"
                  .formatted(path, e.getReason())
              + " it has letters beyond ASCII, start with LC_ALL=C.UTF-8 in the environment",
          e);
    }
  }

  /** The last part of the path. */
  String name() {
    return path.substring(path.lastIndexOf('/') + 1);
  }
}
