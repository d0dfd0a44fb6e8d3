package org.dpo4j.options;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dpo4j.DpoException;

/** Reads files that are small when they are sound, and no more of any file than its limit. */
public final class BoundedFile {

  private BoundedFile() {}

  /**
   * The bytes of a file.
   *
   * @throws DpoException if it has more than the limit allows
   * @throws IOException if it cannot be read
   */
  public static byte[] bytes(Path file, Limit limit) throws IOException {
    // The size that a file states is not trusted: a pipe or a growing file has another.
    try (InputStream in = Files.newInputStream(file)) {
      return bytes(in, "[" + file + "] the file", limit);
    }
  }

  /**
   * All bytes of a stream.
   *
   * @param what has them, as a message begins
   * @throws DpoException if there are more than the limit allows
   * @throws IOException if they cannot be read
   */
  public static byte[] bytes(InputStream in, String what, Limit limit) throws IOException {
    byte[] bytes = in.readNBytes(limit.length());
    if (bytes.length == limit.length() && in.read() >= 0) {
      throw new DpoException(limit.rule(what));
    }
    return bytes;
  }

  /**
   * The text of a file.
   *
   * @throws DpoException if it has more than the limit allows
   * @throws java.nio.charset.CharacterCodingException if it is not UTF-8
   * @throws IOException if it cannot be read
   */
  public static String text(Path file, Limit limit) throws IOException {
    return text(bytes(file, limit));
  }

  /**
   * Bytes as text.
   *
   * @throws java.nio.charset.CharacterCodingException if they are not UTF-8
   */
  public static String text(byte[] bytes) throws CharacterCodingException {
    return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
  }
}
