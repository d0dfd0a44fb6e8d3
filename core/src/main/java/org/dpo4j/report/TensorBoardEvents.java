package org.dpo4j.report;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.zip.CRC32C;

/**
 * The event file of TensorBoard: records of TensorFlow's {@code TFRecord} format, each a protobuf
 * message {@code Event}. The tags are those of transformers' {@code TensorBoardCallback}: {@code
 * train/loss}, {@code eval/loss}, and the options as the text {@code args}.
 *
 * <p>The file begins with a session start at step 0, with which TensorBoard forgets an earlier file
 * of the folder that it has already read: the file of a continued run has all entries.
 *
 * <p>TensorBoard also takes a step that is less than the one before as a restart, and drops the
 * points from there on. An evaluation of an earlier step is therefore left out. There is one at the
 * end of a run that saves the best checkpoint; that step has its evaluation already. A name that
 * several entries of one step have, such as {@code epoch}, is there once: that of the first.
 */
final class TensorBoardEvents implements MetricsFile.Format {

  /** The version from which TensorBoard obeys session starts. */
  private static final String FILE_VERSION = "brain.Event:2";

  private static final String EVALUATION = "eval_";
  private static final int SESSION_START = 1; // SessionLog.START
  private static final int STRINGS = 7; // DataType.DT_STRING
  private static final int MASK = 0xa282ead8; // of the checksums of TFRecord

  private final Supplier<String> options;
  private final Set<String> tagsOfStep = new HashSet<>();
  private long lastStep;

  /**
   * @param options of the run as text
   */
  TensorBoardEvents(Supplier<String> options) {
    this.options = options;
  }

  @Override
  public byte[] head() {
    lastStep = 0;
    tagsOfStep.clear();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(record(event(0).text(3, FILE_VERSION))); // Event.file_version
    bytes.writeBytes(
        record(event(0).message(7, new Message().number(1, SESSION_START)))); // session_log.status
    bytes.writeBytes(record(event(0).message(5, text("args", options.get()))));
    return bytes.toByteArray();
  }

  @Override
  public byte[] entry(Map<String, Number> entry) {
    long step = entry.getOrDefault("step", 0).longValue();
    if (step < lastStep) {
      return new byte[0];
    }
    if (step > lastStep) {
      tagsOfStep.clear();
    }
    lastStep = step;
    Message summary = new Message();
    entry.forEach(
        (name, value) -> {
          if (!name.equals("step") && tagsOfStep.add(tag(name))) {
            Message scalar = new Message().text(1, tag(name)).real(2, value.floatValue());
            summary.message(1, scalar); // Summary.value: tag, simple_value
          }
        });
    return record(event(step).message(5, summary));
  }

  private static String tag(String name) {
    return name.startsWith(EVALUATION)
        ? "eval/" + name.substring(EVALUATION.length())
        : "train/" + name;
  }

  /** A summary for the page of texts, which shows Markdown: the text is a block of code. */
  private static Message text(String tag, String content) {
    Message plugin = new Message().text(1, "text"); // PluginData.plugin_name
    Message tensor =
        new Message()
            .number(1, STRINGS) // TensorProto.dtype
            .message(2, new Message().message(2, new Message().number(1, 1))) // shape: dim.size
            .text(8, content.indent(4)); // string_val
    Message value =
        new Message()
            .text(1, tag + "/text_summary")
            .message(8, tensor)
            .message(9, new Message().message(1, plugin)); // metadata.plugin_data
    return new Message().message(1, value);
  }

  private static Message event(long step) {
    return new Message().real(1, System.currentTimeMillis() / 1000.0).number(2, step);
  }

  /** Length, its checksum, content, its checksum. */
  private static byte[] record(Message event) {
    byte[] content = event.bytes.toByteArray();
    byte[] length = littleEndian(Long.BYTES).putLong(content.length).array();
    return littleEndian(length.length + content.length + 2 * Integer.BYTES)
        .put(length)
        .putInt(checksum(length))
        .put(content)
        .putInt(checksum(content))
        .array();
  }

  private static int checksum(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return Integer.rotateRight((int) crc.getValue(), 15) + MASK;
  }

  private static ByteBuffer littleEndian(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Fields of a protobuf message, in the order in which they are added. */
  private static final class Message {
    private static final int VARINT = 0;
    private static final int BITS_64 = 1;
    private static final int BYTES = 2;
    private static final int BITS_32 = 5;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    Message number(int field, long value) {
      varint(field << 3 | VARINT);
      varint(value);
      return this;
    }

    Message real(int field, double value) {
      varint(field << 3 | BITS_64);
      bytes.writeBytes(littleEndian(Double.BYTES).putDouble(value).array());
      return this;
    }

    Message real(int field, float value) {
      varint(field << 3 | BITS_32);
      bytes.writeBytes(littleEndian(Float.BYTES).putFloat(value).array());
      return this;
    }

    Message text(int field, String value) {
      return content(field, value.getBytes(StandardCharsets.UTF_8));
    }

    Message message(int field, Message value) {
      return content(field, value.bytes.toByteArray());
    }

    private Message content(int field, byte[] value) {
      varint(field << 3 | BYTES);
      varint(value.length);
      bytes.writeBytes(value);
      return this;
    }

    /** Seven bits a byte, the lowest first; the eighth says that more follow. */
    private void varint(long value) {
      long rest = value;
      while ((rest & ~0x7fL) != 0) {
        bytes.write((int) ((rest & 0x7f) | 0x80));
        rest >>>= 7;
      }
      bytes.write((int) rest);
    }
  }
}
