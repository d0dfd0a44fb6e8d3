package org.dpo4j.data;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Recognizes the small text files that git-lfs puts in place of large ones. */
public final class GitLfs {
  private static final byte[] START = "version https://git-lfs".getBytes(StandardCharsets.US_ASCII);

  private GitLfs() {}

  /**
   * Whether a file that begins with these bytes is a pointer; {@code git lfs pull} gets the file.
   */
  public static boolean isPointer(byte[] start) {
    return start.length >= START.length
        && Arrays.equals(start, 0, START.length, START, 0, START.length);
  }
}
