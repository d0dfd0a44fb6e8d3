package org.dpo4j.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.ModelFolders;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: elements that are rounded otherwise than llama.cpp's own tools round them, and numbers
 * that become infinite on the way. The bytes were recorded from the Python package gguf by {@code
 * record_gguf.py}.
 */
class GgufTypeTest {

  private static final Path FIXTURE = ModelFolders.fixture("gguf/types.json");

  static List<JsonNode> cases() throws IOException {
    JsonNode cases = JsonMapper.shared().readTree(Files.readString(FIXTURE));
    return StreamSupport.stream(cases.spliterator(), false).toList();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void bytesAreThoseOfThePythonPackage(JsonNode row) {
    for (GgufType type : types(row)) {
      assertThat(HexFormat.of().formatHex(bytes(type, floats(row))))
          .as("%s as %s", row.get("name").asString(), type)
          .isEqualTo(row.get(type.name()).asString());
    }
  }

  /** Every number of the file's type stays as it is. */
  @ParameterizedTest
  @MethodSource("cases")
  void valuesThatAreReadAreWrittenAsTheSameBytes(JsonNode row) {
    for (GgufType type : types(row)) {
      byte[] bytes = bytes(type, floats(row));
      float[] values = values(type, bytes);
      assertThat(values).hasSameSizeAs(floats(row));
      if (type != GgufType.Q8_0) { // its blocks have several forms of the same numbers
        assertThat(bytes(type, values)).isEqualTo(bytes);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void valuesThatAreReadDifferByTheRounding(JsonNode row) {
    float[] exact = floats(row);
    for (GgufType type : types(row)) {
      float[] values = values(type, bytes(type, exact));
      for (int i = 0; i < exact.length; i++) {
        int block = i / 32 * 32;
        double largest = 0;
        for (int j = block; j < Math.min(exact.length, block + 32); j++) {
          largest = Math.max(largest, Math.abs(exact[j]));
        }
        double size = Math.abs(exact[i]);
        double bound =
            switch (type) {
              case F32 -> 0;
              case F16 -> Math.max(size * 0x1p-11, 0x1p-25);
              case BF16 -> Math.max(size * 0x1p-8, 0x1p-134);
              // Half a step, and 127 times the rounding of the step to fp16.
              case Q8_0 -> largest / 254 * (1 + 1e-6) + Math.max(largest * 0x1p-11, 127 * 0x1p-25);
            };
        assertThat((double) Math.abs(values[i] - exact[i]))
            .as("%s as %s, element %d", row.get("name").asString(), type, i)
            .isLessThanOrEqualTo(bound);
      }
    }
  }

  /** The cases must have all types, or a test of a type would find none. */
  @Test
  void everyTypeIsAmongTheCases() throws IOException {
    Set<GgufType> found = new TreeSet<>();
    for (JsonNode row : cases()) {
      found.addAll(types(row));
    }
    assertThat(found).containsExactly(GgufType.F16, GgufType.Q8_0, GgufType.BF16);
  }

  /** 1 / scale has no number in fp32 then, and the package's bytes have no meaning. */
  @Test
  void aBlockBelowTheNumbersOfFp16IsReadAsZeros() {
    float[] tiny = new float[64];
    Arrays.fill(tiny, Float.MIN_VALUE);
    tiny[1] = 0;
    tiny[32] = 1e-30f;
    float[] values = values(GgufType.Q8_0, bytes(GgufType.Q8_0, tiny));
    for (float value : values) {
      assertThat(Math.abs(value)).isZero();
    }
  }

  @Test
  void blocksDoNotCrossRows() {
    assertThat(GgufType.Q8_0.fits(64)).isTrue();
    assertThat(GgufType.Q8_0.fits(48)).isFalse();
    assertThat(GgufType.F16.fits(1)).isTrue();
    assertThatThrownBy(() -> tensor(GgufType.Q8_0, new float[48]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("x of shape [48] cannot be stored as Q8_0");
  }

  @ParameterizedTest
  @EnumSource(GgufType.class)
  void numbersThatAreNotFiniteAreRefused(GgufType type, @TempDir Path folder) {
    for (float number : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      float[] row = new float[32];
      row[7] = number;
      assertThatThrownBy(() -> write(folder, type, row))
          .isInstanceOf(DpoException.class)
          .hasMessage(
              "[model.gguf] x must have finite numbers but has some that are infinite or NaN; the"
                  + " model's weights are damaged");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "F16, 65520, 65519.996, bf16 or f32",
    "F16, -65520, -65519.996, bf16 or f32",
    // The largest scale below the halfway between 65504 and 65536, times 127.
    "Q8_0, 8321040, 8321039, bf16 or f32",
    "BF16, 3.3961776e38, 3.3961774e38, f32",
    "BF16, -3.4028235e38, -3.3961774e38, f32",
  })
  void numbersBeyondTheTypeAreRefusedWithTheTypesThatHaveThem(
      GgufType type, float beyond, float largest, String advice, @TempDir Path folder)
      throws IOException {
    float[] row = new float[32];
    row[31] = beyond;
    assertThatThrownBy(() -> write(folder, type, row))
        .isInstanceOf(DpoException.class)
        .hasMessage("[model.gguf] x has numbers beyond those of %s; pass outtype %s", type, advice);
    row[31] = largest;
    write(folder, type, row);
    write(folder, GgufType.F32, new float[] {beyond});
  }

  private static List<GgufType> types(JsonNode row) {
    return Stream.of(GgufType.values()).filter(type -> row.has(type.name())).toList();
  }

  private static float[] floats(JsonNode row) {
    JsonNode bits = row.get("bits");
    float[] floats = new float[bits.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = Float.intBitsToFloat(bits.get(i).asInt());
    }
    return floats;
  }

  private static byte[] bytes(GgufType type, float[] values) {
    try (TensorScope scope = TensorScope.open()) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(values.length * Float.BYTES);
      ByteBuffer converted = type.convert(Tensors.floats(values), buffer);
      byte[] bytes = new byte[converted.remaining()];
      converted.get(bytes);
      assertThat(bytes).hasSize(Math.toIntExact(type.bytes(values.length)));
      return bytes;
    }
  }

  private static float[] values(GgufType type, byte[] bytes) {
    try (TensorScope scope = TensorScope.open()) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
      return Tensors.toFloats(type.values(buffer));
    }
  }

  private static GgufTensor tensor(GgufType type, float[] row) {
    return new GgufTensor("x", type, List.of((long) row.length), 1, (from, to) -> floats(row));
  }

  private static Tensor floats(float[] row) {
    return Tensors.floats(row);
  }

  private static void write(Path folder, GgufType type, float[] row) throws IOException {
    Path file = folder.resolve("model.gguf");
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      GgufWriter.write(
          Path.of("model.gguf"), channel, new GgufMetadata(), List.of(tensor(type, row)));
    }
  }
}
