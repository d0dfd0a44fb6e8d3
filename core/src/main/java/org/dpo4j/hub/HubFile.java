package org.dpo4j.hub;

import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;

/**
 * A file of a commit, as the hub lists it; {@link #requireSound} before it is fetched.
 *
 * @param path with slashes
 * @param size in bytes
 * @param hash in lower-case hex: SHA-256 of a large file, else SHA-1 of git's blob
 */
record HubFile(String path, long size, String hash) {
  static final int SHA256_DIGITS = 64;

  private static final Pattern HASH = Pattern.compile("[0-9a-f]{40}|[0-9a-f]{64}");

  /** In bytes, as file systems count. */
  private static final int LONGEST_NAME = 255;

  /** What separates folders or names a drive on some system. */
  private static final Pattern UNSAFE = Pattern.compile("[\\p{Cntrl}\\\\]|^[A-Za-z]:");

  private static final Pattern BEYOND_ASCII = Pattern.compile("[^ -~]");

  /**
   * Refuses a path that leads out of the folder or to files of our own in it, or that this system
   * cannot write, and a file whose size or hash is not known.
   */
  void requireSound() {
    if (!isInside()) {
      throw new DpoException(
          "the names of a repository must lead to places in one folder but one is \"%s\"; nothing of"
                  .formatted(path)
              + " it was fetched, and whoever made it may mean harm");
    }
    if (!HASH.matcher(hash).matches() || size < 0) {
      throw new DpoException(
          "the hub must state size and hash of each file but for %s it states %s and %s; %s"
              .formatted(
                  path,
                  size < 0 ? "no size" : "%,d bytes".formatted(size),
                  hash.isEmpty() ? "no hash" : "the hash \"%s\"".formatted(hash),
                  OptionText.of("try later, or choose other files with {include}")));
    }
  }

  private boolean isInside() {
    return !onThisSystem().isAbsolute()
        && !UNSAFE.matcher(path).find()
        && Arrays.stream(path.split("/", -1))
            .allMatch(
                name ->
                    !name.isBlank()
                        && !name.equals(".")
                        && !name.equals("..")
                        && !name.toLowerCase(Locale.ROOT).startsWith(".dpo4j-")
                        && name.getBytes(StandardCharsets.UTF_8).length <= LONGEST_NAME);
  }

  private Path onThisSystem() {
    try {
      return Path.of(path);
    } catch (InvalidPathException e) {
      throw new DpoException(
          "the names of a repository must be such that this system can write but one is \"%s\" (%s); if"
                  .formatted(path, e.getReason())
              + " it has letters beyond ASCII, start with LC_ALL=C.UTF-8 in the environment",
          e);
    }
  }

  boolean isSha256() {
    return hash.length() == SHA256_DIGITS;
  }

  /** The path, or only its last part, for patterns. */
  Path place(boolean whole) {
    String text = whole ? path : name();
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      return Path.of(BEYOND_ASCII.matcher(text).replaceAll("_")); // what this system cannot write
    }
  }

  /** The last part of the path. */
  String name() {
    return path.substring(path.lastIndexOf('/') + 1);
  }
}
