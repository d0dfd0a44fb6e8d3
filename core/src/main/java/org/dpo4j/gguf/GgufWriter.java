package org.dpo4j.gguf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.data.FileFailure;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Writes GGUF files, version 3, little-endian: the number of tensors and of keys, the keys with
 * their values, an entry for each tensor, then the tensors' elements, each from a multiple of 32
 * bytes on. One tensor is in memory at a time, and of a large one a part.
 */
final class GgufWriter {

  static final String MAGIC = "GGUF";
  static final int VERSION = 3;
  static final int ALIGNMENT = 32;

  /** Elements in memory at a time, unless a tensor asks for larger pieces. */
  static final long PIECE = 1L << 18;

  private GgufWriter() {}

  /**
   * Writes a file.
   *
   * @param path for messages
   * @throws DpoException if it cannot be written, a value is not finite in its tensor's type, or
   *     the thread is interrupted
   */
  static void write(
      Path path, FileChannel channel, GgufMetadata metadata, List<GgufTensor> tensors) {
    try {
      Header header = new Header();
      header.begin(metadata, tensors);
      header.pad();
      writeFully(channel, ByteBuffer.wrap(header.bytes.toByteArray()));
      GgufTensor.Buffer buffer = new GgufTensor.Buffer();
      for (GgufTensor tensor : tensors) {
        write(path, channel, tensor, buffer);
        writeFully(channel, ByteBuffer.allocate(padding(tensor.bytes())));
      }
    } catch (IOException e) {
      throw new DpoException(
          "[%s] could not be written: %s".formatted(path, FileFailure.reason(e, path)), e);
    }
  }

  /** The size of the file that {@link #write} makes, without its keys, in bytes. */
  static long size(List<GgufTensor> tensors) {
    return tensors.stream().mapToLong(tensor -> tensor.bytes() + padding(tensor.bytes())).sum();
  }

  static int padding(long bytes) {
    return (int) (-bytes & (ALIGNMENT - 1));
  }

  private static void write(
      Path path, FileChannel channel, GgufTensor tensor, GgufTensor.Buffer buffer)
      throws IOException {
    tensor.forEachPiece(
        buffer,
        "written",
        (from, to, values, bytes) -> {
          requireFinite(path, tensor, values, bytes);
          writeFully(channel, bytes);
        });
  }

  private static void requireFinite(Path path, GgufTensor tensor, Tensor values, ByteBuffer bytes) {
    if (!Tensors.finite(values)) {
      throw new DpoException(
          "[%s] %s must have finite numbers but has some that are infinite or NaN; the model's weights are damaged"
              .formatted(path, tensor.name()));
    }
    if (tensor.type() == GgufType.F32) {
      return;
    }
    try (TensorScope scope = TensorScope.open()) {
      if (!Tensors.finite(tensor.type().values(bytes.duplicate()))) {
        throw new DpoException(
            OptionText.of(
                "[%s] %s has numbers beyond those of %s; pass {outtype} %s",
                path,
                tensor.name(),
                tensor.type(),
                tensor.type() == GgufType.BF16 ? "f32" : "bf16 or f32"));
      }
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** The types of values. */
  enum ValueType {
    NUMBER(4),
    SIGNED(5),
    REAL(6),
    FLAG(7),
    TEXT(8),
    ARRAY(9);

    private final int number;

    ValueType(int number) {
      this.number = number;
    }

    int number() {
      return number;
    }
  }

  private static final class Header {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    void begin(GgufMetadata metadata, List<GgufTensor> tensors) {
      bytes.writeBytes(MAGIC.getBytes(StandardCharsets.US_ASCII));
      number(VERSION);
      large(tensors.size());
      large(metadata.values().size());
      for (Map.Entry<String, Object> entry : metadata.values().entrySet()) {
        text(entry.getKey());
        value(entry.getValue());
      }
      long offset = 0;
      for (GgufTensor tensor : tensors) {
        text(tensor.name());
        int dimensions = tensor.shape().size();
        number(dimensions);
        for (int i = dimensions - 1; i >= 0; i--) {
          large(tensor.shape().get(i));
        }
        number(tensor.type().number());
        large(offset);
        offset += tensor.bytes() + padding(tensor.bytes());
      }
    }

    void pad() {
      bytes.writeBytes(new byte[padding(bytes.size())]);
    }

    private void value(Object value) {
      if (value instanceof String text) {
        type(ValueType.TEXT);
        text(text);
      } else if (value instanceof Integer integer) {
        type(ValueType.NUMBER);
        number(integer);
      } else if (value instanceof Float real) {
        type(ValueType.REAL);
        number(Float.floatToRawIntBits(real));
      } else if (value instanceof Boolean flag) {
        type(ValueType.FLAG);
        bytes.write(flag ? 1 : 0);
      } else if (value instanceof List<?> texts) {
        array(ValueType.TEXT, texts.size());
        texts.forEach(text -> text((String) text));
      } else if (value instanceof int[] integers) {
        array(ValueType.SIGNED, integers.length);
        for (int integer : integers) {
          number(integer);
        }
      } else if (value instanceof float[] reals) {
        array(ValueType.REAL, reals.length);
        for (float real : reals) {
          number(Float.floatToRawIntBits(real));
        }
      } else {
        throw new IllegalArgumentException("a value cannot be of " + value.getClass());
      }
    }

    private void array(ValueType elements, int length) {
      type(ValueType.ARRAY);
      type(elements);
      large(length);
    }

    private void type(ValueType type) {
      number(type.number());
    }

    private void text(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      large(utf8.length);
      bytes.writeBytes(utf8);
    }

    private void number(int value) {
      bytes.writeBytes(little(Integer.BYTES).putInt(value).array());
    }

    private void large(long value) {
      bytes.writeBytes(little(Long.BYTES).putLong(value).array());
    }

    private static ByteBuffer little(int size) {
      return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
  }
}
