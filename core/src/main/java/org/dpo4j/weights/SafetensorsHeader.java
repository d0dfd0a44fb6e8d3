package org.dpo4j.weights;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.data.GitLfs;
import org.dpo4j.options.Limit;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * The header of a safetensors file, checked completely against the file before any data is read.
 *
 * @param entries by name, in the order of the file's bytes
 * @param dataStart the offset of the tensors' bytes in the file
 * @param fileSize size of the whole file
 * @param metadata texts by name, not about tensors
 */
record SafetensorsHeader(
    Map<String, TensorEntry> entries, long dataStart, long fileSize, Map<String, String> metadata) {

  static final String METADATA = "__metadata__";

  private static final int LENGTH_BYTES = 8;
  private static final long MAX_LENGTH = Limit.HEADER_BYTES.value();
  private static final int PEEK_BYTES = 200; // enough to recognize other kinds of files

  /** Bits per element, by the format's name of the type. */
  private static final Map<String, Integer> BITS =
      Map.ofEntries(
          Map.entry("F64", 64),
          Map.entry("F32", 32),
          Map.entry("F16", 16),
          Map.entry("BF16", 16),
          Map.entry("I64", 64),
          Map.entry("I32", 32),
          Map.entry("I16", 16),
          Map.entry("I8", 8),
          Map.entry("U64", 64),
          Map.entry("U32", 32),
          Map.entry("U16", 16),
          Map.entry("U8", 8),
          Map.entry("BOOL", 8),
          Map.entry("C64", 64),
          Map.entry("F8_E5M2", 8),
          Map.entry("F8_E4M3", 8),
          Map.entry("F8_E8M0", 8),
          Map.entry("F6_E2M3", 6),
          Map.entry("F6_E3M2", 6),
          Map.entry("F4", 4));

  /**
   * Reads and checks the header.
   *
   * @param path for messages
   * @throws DpoException if the file is not a safetensors file or its header does not match its
   *     content
   */
  static SafetensorsHeader read(Path path, FileChannel channel) throws IOException {
    long size = channel.size();
    if (size == 0) {
      throw new DpoException("[" + path + "] is empty; copy or download it again");
    }
    byte[] start = read(channel, 0, (int) Math.min(size, PEEK_BYTES));
    if (size <= LENGTH_BYTES) {
      throw notSafetensors(path, start, "it has only " + size + " bytes");
    }
    long length = ByteBuffer.wrap(start).order(ByteOrder.LITTLE_ENDIAN).getLong();
    if (length < 2 || length > MAX_LENGTH) {
      throw notSafetensors(
          path,
          start,
          "its first 8 bytes must be the header's length, 2 to "
              + MAX_LENGTH
              + ", but are "
              + Long.toUnsignedString(length));
    }
    if (start[LENGTH_BYTES] != '{') {
      throw notSafetensors(
          path, start, "the header must be a JSON object but does not begin with {");
    }
    if (length > size - LENGTH_BYTES) {
      throw new DpoException(
          "["
              + path
              + "] is cut off: the header must have "
              + length
              + " bytes but the file ends after "
              + (size - LENGTH_BYTES)
              + "; copy or download it again");
    }
    long dataStart = LENGTH_BYTES + length;
    JsonNode tree = parse(path, read(channel, LENGTH_BYTES, (int) length));
    return new SafetensorsHeader(
        entries(path, tree, size - dataStart), dataStart, size, metadata(tree));
  }

  private static Map<String, String> metadata(JsonNode tree) {
    Map<String, String> metadata = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> property : tree.path(METADATA).properties()) {
      metadata.put(property.getKey(), property.getValue().asString(""));
    }
    return metadata;
  }

  private static byte[] read(FileChannel channel, long position, int count) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(count);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer, position + buffer.position()) < 0) {
        throw new IOException("the file became shorter while it was read");
      }
    }
    return buffer.array();
  }

  /**
   * Recognizes other kinds of files by their first bytes, and says what to do. Only for files that
   * failed a check: the length of a valid header may coincide with such bytes.
   */
  private static Optional<String> otherKind(byte[] start) {
    String text = new String(start, StandardCharsets.ISO_8859_1);
    if (GitLfs.isPointer(start)) {
      return Optional.of("is a git-lfs pointer, not weights; run git lfs pull");
    }
    if (text.stripLeading().startsWith("<")) {
      return Optional.of("is an HTML or XML page, not weights; download the file again");
    }
    if (text.startsWith("PK")) {
      return Optional.of("is a zip archive (perhaps PyTorch's .bin), not safetensors; convert it");
    }
    return Optional.empty();
  }

  /** Adds what the file is instead, if that is known. */
  private static DpoException notSafetensors(Path path, byte[] start, String why) {
    String what = otherKind(start).orElse("is not a safetensors file: " + why);
    return new DpoException("[" + path + "] " + what);
  }

  private static JsonNode parse(Path path, byte[] header) {
    try {
      return Json.STRICT.readTree(header);
    } catch (JacksonException e) {
      throw new DpoException(
          "[" + path + "] is not a safetensors file: the header is not valid JSON: " + Json.why(e),
          e);
    }
  }

  private static Map<String, TensorEntry> entries(Path path, JsonNode tree, long dataSize) {
    List<TensorEntry> entries = new ArrayList<>();
    for (Map.Entry<String, JsonNode> property : tree.properties()) {
      if (!property.getKey().equals(METADATA)) {
        entries.add(entry(path, property.getKey(), property.getValue()));
      }
    }
    entries.sort(Comparator.comparingLong(TensorEntry::begin).thenComparing(TensorEntry::end));
    long next = 0;
    for (TensorEntry entry : entries) {
      if (entry.begin() != next) {
        throw wrong(
            path,
            entry.name(),
            "must begin at byte "
                + next
                + ", where the tensor before it ends, but begins at "
                + entry.begin());
      }
      next = entry.end();
    }
    if (next > dataSize) {
      throw new DpoException(
          "["
              + path
              + "] is cut off: the tensors must have "
              + next
              + " bytes but the file has "
              + dataSize
              + "; copy or download it again");
    }
    if (next < dataSize) {
      throw new DpoException(
          "["
              + path
              + "] has "
              + (dataSize - next)
              + " bytes after its last tensor; a safetensors file has none");
    }
    Map<String, TensorEntry> byName = new LinkedHashMap<>();
    entries.forEach(entry -> byName.put(entry.name(), entry));
    return byName;
  }

  private static TensorEntry entry(Path path, String name, JsonNode node) {
    JsonNode dtype = node.path("dtype");
    JsonNode shape = node.path("shape");
    JsonNode offsets = node.path("data_offsets");
    if (!dtype.isString() || !shape.isArray() || !offsets.isArray() || node.size() != 3) {
      throw wrong(path, name, "must have dtype, shape and data_offsets but is " + brief(node));
    }
    Integer bits = BITS.get(dtype.stringValue());
    if (bits == null) {
      throw wrong(path, name, "has the unknown dtype " + brief(dtype));
    }
    List<Long> sizes = longs(path, name, "shape", shape);
    List<Long> range = longs(path, name, "data_offsets", offsets);
    if (range.size() != 2 || range.get(0) > range.get(1)) {
      throw wrong(path, name, "data_offsets must be [begin, end] but are " + brief(offsets));
    }
    long found = range.get(1) - range.get(0);
    long expected = bytes(path, name, sizes, bits);
    if (found != expected) {
      throw wrong(
          path,
          name,
          dtype.stringValue()
              + " of shape "
              + sizes
              + " must have "
              + expected
              + " bytes but data_offsets give it "
              + found);
    }
    return new TensorEntry(name, dtype.stringValue(), sizes, range.get(0), range.get(1));
  }

  private static List<Long> longs(Path path, String name, String field, JsonNode array) {
    List<Long> values = new ArrayList<>();
    for (JsonNode value : array) {
      if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
        throw wrong(
            path, name, field + " must hold integers of 0 or more but holds " + brief(value));
      }
      values.add(value.longValue());
    }
    return values;
  }

  private static long bytes(Path path, String name, List<Long> sizes, int bits) {
    try {
      long total = bits;
      for (long size : sizes) {
        total = Math.multiplyExact(total, size);
      }
      return total / 8 + (total % 8 == 0 ? 0 : 1);
    } catch (ArithmeticException e) {
      throw new DpoException(
          "[" + path + "] tensor \"" + name + "\" is too large: shape " + sizes, e);
    }
  }

  private static DpoException wrong(Path path, String name, String what) {
    return new DpoException("[" + path + "] tensor \"" + name + "\" " + what);
  }

  private static String brief(JsonNode node) {
    String text = node.toString();
    return text.length() <= 80 ? text : text.substring(0, 80) + "...";
  }
}
