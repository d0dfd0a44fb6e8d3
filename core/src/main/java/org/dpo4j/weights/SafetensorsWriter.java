package org.dpo4j.weights;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.data.FileFailure;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes tensors in the safetensors format, in the order of their names, so that equal tensors give
 * equal bytes. Elements are converted in chunks, without a second copy of a tensor.
 */
public final class SafetensorsWriter {

  /** What is stored under one name. */
  interface Content {

    /** The format's name of the element type. */
    String dtype();

    List<Long> shape();

    /** Number of bytes. */
    long bytes();

    /**
     * Writes the bytes.
     *
     * @param path of the file, for messages
     * @param name of the tensor, for messages
     * @param buffer may be overwritten
     */
    void writeTo(FileChannel channel, Path path, String name, ByteBuffer buffer) throws IOException;

    /** Number of elements. */
    default long elements() {
      return shape().stream().reduce(1L, Math::multiplyExact);
    }

    /** A tensor's elements, contiguous, converted to a type. */
    static Content of(Tensor tensor, ElementType type) {
      return of(tensor.shape(), () -> tensor, type);
    }

    /** As above, of a tensor that is made when it is written, in the scope of the call. */
    static Content of(long[] shape, Supplier<Tensor> tensor, ElementType type) {
      return new Elements(LongStream.of(shape).boxed().toList(), tensor, type);
    }

    /** The bytes of a tensor in another file, of any type. */
    static Content of(SafetensorsFile file, String name) {
      return new Copy(file, file.entry(name));
    }
  }

  private record Elements(List<Long> shape, Supplier<Tensor> tensor, ElementType type)
      implements Content {
    @Override
    public String dtype() {
      return type.name();
    }

    @Override
    public long bytes() {
      return elements() * type.bytes();
    }

    @Override
    public void writeTo(FileChannel channel, Path path, String name, ByteBuffer buffer)
        throws IOException {
      try (TensorScope scope = TensorScope.open()) {
        writeElements(path, channel, name, tensor.get(), type, buffer);
      }
    }
  }

  private record Copy(SafetensorsFile file, TensorEntry entry) implements Content {
    @Override
    public String dtype() {
      return entry.dtype();
    }

    @Override
    public List<Long> shape() {
      return entry.shape();
    }

    @Override
    public long bytes() {
      return entry.bytes();
    }

    @Override
    public void writeTo(FileChannel channel, Path path, String name, ByteBuffer buffer)
        throws IOException {
      file.copyBytes(entry, channel);
    }
  }

  private static final int ALIGNMENT = 8;

  /** Elements converted at a time. */
  static final long PIECE = 1L << 20;

  private SafetensorsWriter() {}

  /**
   * Writes a new file and forces it to the device.
   *
   * @param path must not exist
   * @param tensors by name; contiguous, of any floating type
   * @param type of all elements in the file; values are rounded to nearest even
   * @throws DpoException if the file exists or cannot be written, or a value is not finite in
   *     {@code type}
   */
  public static void write(Path path, Map<String, Tensor> tensors, ElementType type) {
    write(path, tensors, type, Map.of());
  }

  /** As above, with metadata in the header. */
  static void write(
      Path path, Map<String, Tensor> tensors, ElementType type, Map<String, String> metadata) {
    Map<String, Content> contents = new TreeMap<>();
    tensors.forEach((name, tensor) -> contents.put(name, Content.of(tensor, type)));
    write(path, contents, metadata);
  }

  /** Writes a new file of any contents, by the tensors' names. */
  static void write(Path path, Map<String, Content> contents, Map<String, String> metadata) {
    SortedMap<String, Content> sorted = new TreeMap<>(contents);
    try (FileChannel channel =
        FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      writeFully(channel, header(sorted, metadata));
      ByteBuffer buffer = ByteBuffer.allocateDirect((int) PIECE * Long.BYTES); // for any type
      for (Map.Entry<String, Content> entry : sorted.entrySet()) {
        entry.getValue().writeTo(channel, path, entry.getKey(), buffer);
      }
      channel.force(true);
    } catch (IOException e) {
      throw new DpoException(
          "[" + path + "] could not be written: " + FileFailure.reason(e, path), e);
    }
  }

  private static void writeElements(
      Path path,
      FileChannel channel,
      String name,
      Tensor tensor,
      ElementType type,
      ByteBuffer buffer)
      throws IOException {
    long total = tensor.numel();
    for (long done = 0; done < total; done += PIECE) {
      ByteBuffer bytes = Tensors.bytes(tensor, done, Math.min(PIECE, total - done), type, buffer);
      long notFinite = notFinite(bytes, type);
      if (notFinite > 0) {
        throw new DpoException(
            "["
                + path
                + "] \""
                + name
                + "\" has values that are infinite or not a number as "
                + type.torchName()
                + " ("
                + notFinite
                + " of the elements from "
                + done
                + " on)"
                + (type == ElementType.F16 ? "; save as bfloat16 or float32" : ""));
      }
      writeFully(channel, bytes);
    }
  }

  private static ByteBuffer header(
      SortedMap<String, Content> contents, Map<String, String> metadata) {
    ObjectNode header = Json.STRICT.createObjectNode();
    ObjectNode texts = header.putObject(SafetensorsHeader.METADATA).put("format", "pt");
    new TreeMap<>(metadata).forEach(texts::put);
    long begin = 0;
    for (Map.Entry<String, Content> entry : contents.entrySet()) {
      long end = begin + entry.getValue().bytes();
      ObjectNode node = header.putObject(entry.getKey()).put("dtype", entry.getValue().dtype());
      ArrayNode shape = node.putArray("shape");
      for (long size : entry.getValue().shape()) {
        shape.add(size);
      }
      node.putArray("data_offsets").add(begin).add(end);
      begin = end;
    }
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    int length = (json.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES + length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(length).put(json);
    while (bytes.hasRemaining()) {
      bytes.put((byte) ' ');
    }
    return bytes.flip();
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Counts infinities and NaNs: all bits of the exponent are set. */
  private static long notFinite(ByteBuffer bytes, ElementType type) {
    ByteBuffer elements = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    long count = 0;
    while (elements.hasRemaining()) {
      boolean finite =
          switch (type) {
            case F64 -> Double.isFinite(elements.getDouble());
            case F32 -> Float.isFinite(elements.getFloat());
            case F16 -> (elements.getShort() & 0x7C00) != 0x7C00;
            case BF16 -> (elements.getShort() & 0x7F80) != 0x7F80;
            case I64 -> throw new IllegalArgumentException("weights are not saved as integers");
          };
      count += finite ? 0 : 1;
    }
    return count;
  }
}
