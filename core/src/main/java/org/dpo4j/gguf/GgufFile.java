package org.dpo4j.gguf;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.data.FileFailure;

/** Reads back what {@link GgufWriter} wrote. */
final class GgufFile {

  private static final long LARGEST_HEADER = 1L << 30;
  private static final int MOST_DIMENSIONS = 4;

  /**
   * An entry of the header.
   *
   * @param shape outermost dimension first
   * @param offset from the beginning of the tensors
   */
  record Entry(GgufType type, List<Long> shape, long offset) {
    long elements() {
      return shape.stream().reduce(1L, Math::multiplyExact);
    }

    long end() {
      return Math.addExact(offset, type.bytes(elements()));
    }
  }

  private final Path path;
  private final GgufMetadata metadata = new GgufMetadata();
  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private long dataStart;

  private GgufFile(Path path) {
    this.path = path;
  }

  /**
   * Reads the header.
   *
   * @throws DpoException if the file cannot be read or is none that {@link GgufWriter} writes
   */
  static GgufFile open(Path path) {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      GgufFile file = new GgufFile(path);
      ByteBuffer bytes =
          channel
              .map(FileChannel.MapMode.READ_ONLY, 0, Math.min(channel.size(), LARGEST_HEADER))
              .order(ByteOrder.LITTLE_ENDIAN);
      file.read(bytes);
      long end = file.entries.values().stream().mapToLong(Entry::end).max().orElse(0);
      if (end > channel.size() - file.dataStart) {
        throw file.damaged("it ends before its last tensor");
      }
      return file;
    } catch (IOException e) {
      throw new DpoException(
          "[%s] could not be read: %s".formatted(path, FileFailure.reason(e, path)), e);
    }
  }

  private void read(ByteBuffer bytes) {
    try {
      byte[] magic = new byte[GgufWriter.MAGIC.length()];
      bytes.get(magic);
      if (!new String(magic, StandardCharsets.US_ASCII).equals(GgufWriter.MAGIC)
          || bytes.getInt() != GgufWriter.VERSION) {
        throw damaged("it does not begin as a GGUF file of version 3");
      }
      long tensors = bytes.getLong();
      long keys = bytes.getLong();
      for (long i = 0; i < keys; i++) {
        metadata.put(text(bytes), value(bytes));
      }
      for (long i = 0; i < tensors; i++) {
        String name = text(bytes);
        if (entries.put(name, entry(bytes)) != null) {
          throw damaged("the tensor %s is there twice".formatted(name));
        }
      }
      dataStart = bytes.position() + (long) GgufWriter.padding(bytes.position());
    } catch (BufferUnderflowException e) {
      throw damaged("it ends in its header");
    } catch (IllegalArgumentException e) {
      throw damaged(String.valueOf(e.getMessage()));
    }
  }

  private Entry entry(ByteBuffer bytes) {
    int dimensions = bytes.getInt();
    if (dimensions < 1 || dimensions > MOST_DIMENSIONS) {
      throw damaged("a tensor has %d dimensions".formatted(dimensions));
    }
    List<Long> shape = new ArrayList<>();
    for (int i = 0; i < dimensions; i++) {
      shape.add(0, bytes.getLong());
    }
    int number = bytes.getInt();
    GgufType type = GgufType.of(number);
    if (type == null) {
      throw damaged("a tensor has the type " + number);
    }
    Entry entry = new Entry(type, List.copyOf(shape), bytes.getLong());
    if (shape.stream().anyMatch(size -> size < 1)
        || !type.fits(shape.get(dimensions - 1))
        || !isSize(entry)) {
      throw damaged("a tensor has the shape %s and the offset %d".formatted(shape, entry.offset()));
    }
    return entry;
  }

  private static boolean isSize(Entry entry) {
    try {
      return entry.offset() >= 0
          && GgufWriter.padding(entry.offset()) == 0
          && entry.end() >= entry.offset();
    } catch (ArithmeticException e) {
      return false;
    }
  }

  private Object value(ByteBuffer bytes) {
    return switch (type(bytes)) {
      case NUMBER, SIGNED -> bytes.getInt();
      case REAL -> bytes.getFloat();
      case FLAG -> bytes.get() != 0;
      case TEXT -> text(bytes);
      case ARRAY -> array(bytes);
    };
  }

  private Object array(ByteBuffer bytes) {
    GgufWriter.ValueType type = type(bytes);
    long count = bytes.getLong();
    if (count < 0 || count > bytes.remaining()) { // an element has a byte at least
      throw damaged("a list has %d elements".formatted(count));
    }
    int length = (int) count;
    switch (type) {
      case TEXT -> {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < length; i++) {
          texts.add(text(bytes));
        }
        return texts;
      }
      case SIGNED -> {
        int[] numbers = new int[length];
        for (int i = 0; i < length; i++) {
          numbers[i] = bytes.getInt();
        }
        return numbers;
      }
      case REAL -> {
        float[] reals = new float[length];
        for (int i = 0; i < length; i++) {
          reals[i] = bytes.getFloat();
        }
        return reals;
      }
      default -> throw damaged("a list has elements of the type " + type);
    }
  }

  private GgufWriter.ValueType type(ByteBuffer bytes) {
    int number = bytes.getInt();
    for (GgufWriter.ValueType type : GgufWriter.ValueType.values()) {
      if (type.number() == number) {
        return type;
      }
    }
    throw damaged("a value has the type " + number);
  }

  private String text(ByteBuffer bytes) {
    long length = bytes.getLong();
    if (length < 0 || length > bytes.remaining()) {
      throw damaged("a text has %d bytes".formatted(length));
    }
    byte[] utf8 = new byte[(int) length];
    bytes.get(utf8);
    return new String(utf8, StandardCharsets.UTF_8);
  }

  private DpoException damaged(String how) {
    return new DpoException("[%s] must be a GGUF file but %s".formatted(path, how));
  }

  GgufMetadata metadata() {
    return metadata;
  }

  Map<String, Entry> entries() {
    return entries;
  }

  /**
   * Rows of a tensor, fp32, shape (elements), in the caller's scope.
   *
   * @param columns length of a row
   */
  Tensor rows(Entry entry, long columns, long from, long to) {
    long begin = dataStart + entry.offset() + entry.type().bytes(from * columns);
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(Math.toIntExact(entry.type().bytes((to - from) * columns)));
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      for (long at = begin; bytes.hasRemaining(); ) {
        int count = channel.read(bytes, at);
        if (count < 0) {
          throw damaged("it ends before its last tensor");
        }
        at += count;
      }
    } catch (IOException e) {
      throw new DpoException(
          "[%s] could not be read: %s".formatted(path, FileFailure.reason(e, path)), e);
    }
    return entry.type().values(bytes.flip());
  }
}
