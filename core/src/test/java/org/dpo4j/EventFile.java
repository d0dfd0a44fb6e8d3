package org.dpo4j;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads an event file of TensorBoard with nothing of the program: checksums by polynomial division,
 * and messages by the field numbers of {@code event.proto} and {@code summary.proto}.
 */
public final class EventFile {

  /**
   * A scalar.
   *
   * @param value has 32 bits
   */
  public record Point(String tag, long step, float value) {}

  private final List<String> kinds = new ArrayList<>();
  private final List<Point> points = new ArrayList<>();
  private final Map<String, String> texts = new LinkedHashMap<>();

  private EventFile() {}

  /** Reads a file; fails on a record that is damaged or cut. */
  public static EventFile read(Path path) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
    EventFile file = new EventFile();
    while (bytes.hasRemaining()) {
      byte[] length = take(bytes, 8);
      assertThat(bytes.getInt()).as("checksum of a length").isEqualTo(masked(crc(length)));
      byte[] content =
          take(bytes, Math.toIntExact(ByteBuffer.wrap(length).order(bytes.order()).getLong()));
      assertThat(bytes.getInt()).as("checksum of a record").isEqualTo(masked(crc(content)));
      file.event(fields(content));
    }
    return file;
  }

  /** The only event file of a folder. */
  public static Path only(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      List<Path> events = files.filter(file -> file.toString().contains("tfevents")).toList();
      assertThat(events).hasSize(1);
      return events.get(0);
    }
  }

  /**
   * The scalars that entries of {@code log_history} have as transformers' callback writes them, the
   * first of those with one tag and step.
   *
   * @param log names to values, with {@code step}; null for NaN
   */
  public static List<Point> pointsOf(List<? extends Map<String, ? extends Number>> log) {
    Map<String, Point> points = new LinkedHashMap<>();
    for (Map<String, ? extends Number> entry : log) {
      long step = Objects.requireNonNull(entry.get("step")).longValue();
      entry.forEach(
          (name, value) -> {
            if (!name.equals("step")) {
              String tag = name.startsWith("eval_") ? "eval/" + name.substring(5) : "train/" + name;
              points.putIfAbsent(
                  tag + " at " + step,
                  new Point(tag, step, value == null ? Float.NaN : value.floatValue()));
            }
          });
    }
    return List.copyOf(points.values());
  }

  /** The scalars of {@code log_history} of a run's output folder. */
  public static List<Point> logged(Path run) throws IOException {
    JsonMapper json = JsonMapper.shared();
    JsonNode state = json.readTree(Files.readString(run.resolve("trainer_state.json")));
    return pointsOf(
        json.convertValue(
            state.get("log_history"), new TypeReference<List<Map<String, Double>>>() {}));
  }

  /** What each record holds, in order: version, start, summary. */
  public List<String> kinds() {
    return kinds;
  }

  /** All scalars, in order. */
  public List<Point> points() {
    return points;
  }

  /** Texts by tag. */
  public Map<String, String> texts() {
    return texts;
  }

  private void event(Map<Integer, List<Object>> event) {
    double time = (double) one(event, 1);
    assertThat(time).as("seconds since 1970").isBetween(1.7e9, 1e10);
    long step = (long) one(event, 2);
    if (event.containsKey(3)) {
      kinds.add("version " + new String((byte[]) one(event, 3), UTF_8));
    } else if (event.containsKey(7)) {
      kinds.add("start %d at step %d".formatted((Long) one(fields(one(event, 7)), 1), step));
    } else {
      kinds.add("summary");
      fields(one(event, 5)).getOrDefault(1, List.of()).forEach(value -> value(step, fields(value)));
    }
  }

  private void value(long step, Map<Integer, List<Object>> value) {
    String tag = new String((byte[]) one(value, 1), UTF_8);
    if (value.containsKey(2)) {
      points.add(new Point(tag, step, (float) one(value, 2)));
      return;
    }
    Map<Integer, List<Object>> tensor = fields(one(value, 8));
    assertThat(one(tensor, 1)).as("type of strings").isEqualTo(7L);
    texts.put(tag, new String((byte[]) one(tensor, 8), UTF_8));
    Map<Integer, List<Object>> plugin = fields(one(fields(one(value, 9)), 1));
    assertThat(new String((byte[]) one(plugin, 1), UTF_8)).isEqualTo("text");
  }

  private static Object one(Map<Integer, List<Object>> message, int field) {
    List<Object> values = message.getOrDefault(field, List.of());
    assertThat(values).as("field %d of %s", field, message.keySet()).hasSize(1);
    return values.get(0);
  }

  /** Values by field number: Long, Double, byte[] or Float. */
  private static Map<Integer, List<Object>> fields(Object message) {
    ByteBuffer bytes = ByteBuffer.wrap((byte[]) message).order(ByteOrder.LITTLE_ENDIAN);
    Map<Integer, List<Object>> fields = new LinkedHashMap<>();
    while (bytes.hasRemaining()) {
      int key = Math.toIntExact(varint(bytes));
      Object value =
          switch (key & 7) {
            case 0 -> varint(bytes);
            case 1 -> bytes.getDouble();
            case 2 -> take(bytes, Math.toIntExact(varint(bytes)));
            case 5 -> bytes.getFloat();
            default -> throw new AssertionError("wire type " + (key & 7));
          };
      fields.computeIfAbsent(key >> 3, field -> new ArrayList<>()).add(value);
    }
    return fields;
  }

  private static long varint(ByteBuffer bytes) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte next = bytes.get();
      value |= (long) (next & 127) << shift;
      if (next >= 0) {
        return value;
      }
    }
  }

  private static byte[] take(ByteBuffer bytes, int length) {
    byte[] taken = new byte[length];
    bytes.get(taken);
    return taken;
  }

  /** CRC-32C, with the polynomial 0x1EDC6F41 reversed. */
  public static int crc(byte[] bytes) {
    int crc = -1;
    for (byte next : bytes) {
      crc ^= next & 255;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 1) == 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
      }
    }
    return ~crc;
  }

  private static int masked(int crc) {
    return ((crc >>> 15) | (crc << 17)) + 0xa282ead8;
  }
}
