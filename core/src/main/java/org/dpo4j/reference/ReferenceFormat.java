package org.dpo4j.reference;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.DigestInputStream;
import java.security.DigestOutputStream;
import java.util.Arrays;
import java.util.HexFormat;
import org.dpo4j.data.Sha256;
import org.dpo4j.logprob.LogProbTable;

/**
 * The file format of a table, all numbers big-endian: 8 bytes {@code DPO4JREF}, the version of the
 * format (4 bytes), the fingerprint (32), the number of examples (8) and of completions of each
 * (4), the length of a text (4) and the text (UTF-8, for people: {@code name: value} lines), then
 * for each completion of each example log pi(y given x) as a double, and the SHA-256 of all of that
 * (32).
 */
final class ReferenceFormat {
  static final int VERSION = 2;

  private static final byte[] MAGIC = "DPO4JREF".getBytes(StandardCharsets.US_ASCII);
  private static final int HEADER_BYTES =
      MAGIC.length + Integer.BYTES + Sha256.BYTES + Long.BYTES + 2 * Integer.BYTES;
  private static final int MOST_TEXT = 1 << 20;

  private ReferenceFormat() {}

  /** Writes a table; the stream stays open. */
  static void write(OutputStream to, ReferenceKey key, String text, LogProbTable table)
      throws IOException {
    DigestOutputStream digested = new DigestOutputStream(to, Sha256.digest());
    DataOutputStream out = new DataOutputStream(new BufferedOutputStream(digested, 1 << 16));
    byte[] words = text.getBytes(StandardCharsets.UTF_8);
    if (words.length > MOST_TEXT) {
      throw new IllegalArgumentException("the text must not be above 1 MiB");
    }
    out.write(MAGIC);
    out.writeInt(VERSION);
    out.write(HexFormat.of().parseHex(key.fingerprint()));
    out.writeLong(table.size());
    out.writeInt(table.completions());
    out.writeInt(words.length);
    out.write(words);
    for (int i = 0; i < table.size(); i++) {
      for (double value : table.of(i)) {
        out.writeDouble(value);
      }
    }
    out.flush();
    out.write(digested.getMessageDigest().digest());
    out.flush();
  }

  /**
   * Reads a table.
   *
   * @param bytes that the stream has
   * @throws DamagedReferenceException if the bytes are not exactly a table of this key
   */
  static LogProbTable read(InputStream from, long bytes, ReferenceKey key) throws IOException {
    DigestInputStream digested =
        new DigestInputStream(new BufferedInputStream(from, 1 << 16), Sha256.digest());
    DataInputStream in = new DataInputStream(digested);
    try {
      require(Arrays.equals(in.readNBytes(MAGIC.length), MAGIC), "it is no file of this kind");
      int version = in.readInt();
      require(
          version == VERSION,
          "its format is version %d and this dpo4j reads version %d".formatted(version, VERSION));
      String fingerprint = HexFormat.of().formatHex(in.readNBytes(Sha256.BYTES));
      require(
          fingerprint.equals(key.fingerprint()), "it belongs to another reference or other data");
      require(in.readLong() == key.examples(), "its number of examples is wrong");
      require(in.readInt() == key.completions(), "its number of completions is wrong");
      int text = in.readInt();
      require(text >= 0 && text <= MOST_TEXT, "its header is damaged");
      // Checked before memory is allocated for a size that may be wrong.
      require(
          bytes
              == HEADER_BYTES
                  + text
                  + (long) Double.BYTES * key.completions() * key.examples()
                  + Sha256.BYTES,
          "its length is wrong");
      in.readNBytes(text); // skipped bytes would be missing in the checksum
      double[] values = new double[key.completions() * key.examples()];
      for (int i = 0; i < values.length; i++) {
        values[i] = in.readDouble();
      }
      byte[] sum = digested.getMessageDigest().digest();
      require(Arrays.equals(in.readNBytes(Sha256.BYTES), sum), "its checksum is wrong");
      return LogProbTable.of(values, key.completions());
    } catch (EOFException e) {
      throw new DamagedReferenceException("it is cut short", e);
    }
  }

  private static void require(boolean holds, String otherwise) throws DamagedReferenceException {
    if (!holds) {
      throw new DamagedReferenceException(otherwise, null);
    }
  }
}
