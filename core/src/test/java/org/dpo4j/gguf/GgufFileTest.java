package org.dpo4j.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.ModelFolders;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a file that other programs read otherwise than it was meant, values that change on the
 * way, and a damaged file that is read as a good one or ends the program. {@code small.gguf} was
 * written by the Python package gguf ({@code record_gguf.py}).
 */
class GgufFileTest {

  private static final Path FIXTURE = ModelFolders.fixture("gguf/small.gguf");

  private static final HexFormat HEX = HexFormat.of();

  private final Path folder;

  GgufFileTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** What the recorder wrote. */
  private static GgufMetadata metadata() {
    return new GgufMetadata()
        .text("general.architecture", "llama")
        .text("text", "a \uD83D\uDCA9 \u2581")
        .number("number", 4_000)
        .real("real", -1.5e-5)
        .flag("flag.true", true)
        .flag("flag.false", false)
        .texts("texts", List.of("", "b", "\u00e9"))
        .numbers("numbers", new int[] {1, -2, 3})
        .reals("reals", new float[] {0.5f, -1});
  }

  private static List<GgufTensor> tensors(long piece) {
    float[] matrix = new float[128];
    for (int i = 0; i < matrix.length; i++) {
      matrix[i] = (i - 40) / 8f;
    }
    List<GgufTensor> tensors = new ArrayList<>();
    tensors.add(tensor("vector", GgufType.F32, piece, counted(3), 3L));
    for (GgufType type : List.of(GgufType.F16, GgufType.BF16, GgufType.Q8_0)) {
      tensors.add(tensor("matrix." + type, type, piece, matrix, 2L, 64L));
    }
    tensors.add(tensor("cube", GgufType.F32, piece, counted(12), 2L, 3L, 2L));
    return tensors;
  }

  private static float[] counted(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = i;
    }
    return values;
  }

  private static GgufTensor tensor(
      String name, GgufType type, long piece, float[] values, Long... shape) {
    int columns = Math.toIntExact(shape[shape.length - 1]);
    return new GgufTensor(
        name,
        type,
        List.of(shape),
        piece,
        (from, to) ->
            Tensors.floats(Arrays.copyOfRange(values, (int) from * columns, (int) to * columns)));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 100})
  void theFileHasTheBytesOfThePythonPackage(long piece) throws IOException {
    Path file = write("small.gguf", metadata(), tensors(piece));
    assertThat(Files.readAllBytes(file)).isEqualTo(Files.readAllBytes(FIXTURE));
  }

  @Test
  void keysOfThePythonPackageAreReadInOrder() {
    Map<String, Object> read = GgufFile.open(FIXTURE).metadata().values();
    Map<String, Object> expected = metadata().values();
    assertThat(read.keySet()).containsExactlyElementsOf(expected.keySet());
    assertThat(read.values().toArray()).isEqualTo(expected.values().toArray());
  }

  @Test
  void tensorsOfThePythonPackageAreRead() {
    GgufFile file = GgufFile.open(FIXTURE);
    List<GgufTensor> expected = tensors(1);
    assertThat(file.entries().keySet())
        .containsExactlyElementsOf(expected.stream().map(GgufTensor::name).toList());
    for (GgufTensor tensor : expected) {
      GgufFile.Entry entry = Objects.requireNonNull(file.entries().get(tensor.name()));
      assertThat(entry.type()).isEqualTo(tensor.type());
      assertThat(entry.shape()).isEqualTo(tensor.shape());
      assertThat(entry.offset() % GgufWriter.ALIGNMENT).isZero();
      try (TensorScope scope = TensorScope.open()) {
        float[] whole = Tensors.toFloats(file.rows(entry, tensor.columns(), 0, tensor.rowCount()));
        for (long row = 0; row < tensor.rowCount(); row++) {
          float[] read = Tensors.toFloats(file.rows(entry, tensor.columns(), row, row + 1));
          int from = (int) (row * tensor.columns());
          assertThat(read)
              .isEqualTo(Arrays.copyOfRange(whole, from, from + (int) tensor.columns()));
          // A multiple of the largest element / 127 is off by half of that.
          float[] exact = Tensors.toFloats(tensor.rows().get(row, row + 1));
          double close = tensor.type() == GgufType.Q8_0 ? 11.0 / 254 + 0.01 : 0;
          for (int i = 0; i < exact.length; i++) {
            assertThat((double) Math.abs(read[i] - exact[i])).isLessThanOrEqualTo(close);
          }
        }
      }
    }
  }

  /** They are unsigned in the file. */
  @Test
  void numbersAreNotNegativeAndNoKeyIsThereTwice() {
    assertThatThrownBy(() -> new GgufMetadata().number("n", -1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("n must not be negative but was -1");
    assertThatThrownBy(() -> new GgufMetadata().flag("n", true).number("n", 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the key n is there twice");
  }

  /** Header and each tensor begin at a multiple of 32, whatever the sizes before them. */
  @Test
  void everyTensorBeginsAtAMultipleOfTheAlignment() throws IOException {
    for (int length = 1; length <= 33; length++) {
      GgufMetadata keys = new GgufMetadata().text("k", "x".repeat(length));
      List<GgufTensor> tensors =
          List.of(
              tensor("a", GgufType.F16, 1, counted(length), (long) length),
              tensor("b", GgufType.F32, 1, counted(3), 3L));
      Path file = write("aligned" + length + ".gguf", keys, tensors);
      GgufFile read = GgufFile.open(file);
      byte[] bytes = Files.readAllBytes(file);
      assertThat(bytes.length % GgufWriter.ALIGNMENT).isZero();
      long begin = bytes.length - GgufWriter.size(tensors);
      assertThat(begin % GgufWriter.ALIGNMENT).isZero();
      GgufFile.Entry entry = Objects.requireNonNull(read.entries().get("b"));
      assertThat(entry.offset() % GgufWriter.ALIGNMENT).isZero();
      ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      assertThat(data.getFloat((int) (begin + entry.offset()) + 4)).isEqualTo(1);
      try (TensorScope scope = TensorScope.open()) {
        assertThat(Tensors.toFloats(read.rows(entry, 3, 0, 1))).containsExactly(0, 1, 2);
      }
    }
  }

  @Test
  void aFileThatIsCutIsRefused() throws IOException {
    byte[] whole = Files.readAllBytes(FIXTURE);
    int end = whole.length - 16; // the last 16 bytes fill up
    for (int length = 0; length < end; length++) {
      Path file = folder.resolve("cut.gguf");
      Files.write(file, Arrays.copyOf(whole, length));
      assertThatThrownBy(() -> GgufFile.open(file))
          .as("%d bytes", length)
          .isInstanceOf(DpoException.class)
          .hasMessageMatching(
              "\\[.*] must be a GGUF file but (it does not begin as a GGUF file of version 3|it ends"
                  + " in its header|it ends before its last tensor|a text has \\d+ bytes|a list has"
                  + " \\d+ elements)");
    }
  }

  /** Each byte of the header with each bit changed, and numbers that are as large as can be. */
  @Test
  void aDamagedHeaderIsRefusedOrReadButNeverAnotherFailure() throws IOException {
    byte[] whole = Files.readAllBytes(FIXTURE);
    int header = 0x240;
    int refused = 0;
    for (int at = 0; at < header; at++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] damaged = whole.clone();
        damaged[at] ^= (byte) (1 << bit);
        refused += opens(damaged) ? 0 : 1;
      }
      byte[] huge = whole.clone();
      Arrays.fill(huge, at, Math.min(at + 8, header), (byte) 0xff);
      refused += opens(huge) ? 0 : 1;
      huge[Math.min(at + 7, header - 1)] = 0x7f;
      refused += opens(huge) ? 0 : 1;
    }
    assertThat(refused).isGreaterThan(1500);
  }

  @Test
  void anyBytesAfterTheMagicAreRefusedOrRead() throws IOException {
    Random random = new Random(0);
    byte[] begin = Arrays.copyOf(Files.readAllBytes(FIXTURE), 24);
    begin[8] = 2;
    begin[16] = 3;
    for (int i = 0; i < 3000; i++) {
      byte[] bytes = Arrays.copyOf(begin, 24 + random.nextInt(300));
      for (int at = 24; at < bytes.length; at++) {
        bytes[at] = (byte) (random.nextInt(3) > 0 ? random.nextInt(10) : random.nextInt(256));
        bytes[at] *= (byte) (random.nextInt(3) == 0 ? 1 : 0);
      }
      opens(bytes);
    }
  }

  /** Whether bytes are read as a file; fails on any exception but that for users. */
  private boolean opens(byte[] bytes) throws IOException {
    Path path = folder.resolve("damaged.gguf");
    Files.write(path, bytes);
    boolean[] opened = {false};
    assertThatCode(
            () -> {
              try {
                GgufFile file = GgufFile.open(path);
                opened[0] = true;
                for (GgufFile.Entry entry : file.entries().values()) {
                  assertThat(entry.elements()).isNotNegative();
                }
              } catch (DpoException e) {
                assertThat(e).hasMessageStartingWith("[%s] ", path);
              }
            })
        .as(() -> HEX.formatHex(bytes))
        .doesNotThrowAnyException();
    return opened[0];
  }

  @Test
  void aListOfMoreElementsThanTheFileHasIsRefused() throws IOException {
    for (long count : new long[] {-1, 1L << 31, Integer.MAX_VALUE, 1L << 40}) {
      for (GgufWriter.ValueType type : GgufWriter.ValueType.values()) {
        ByteBuffer bytes = header(0, 1).putLong(1).put((byte) 'k');
        bytes.putInt(GgufWriter.ValueType.ARRAY.number()).putInt(type.number()).putLong(count);
        assertThatThrownBy(() -> GgufFile.open(written(bytes)))
            .as("%d of %s", count, type)
            .isInstanceOf(DpoException.class)
            .hasMessageContaining("must be a GGUF file but ");
      }
    }
  }

  @Test
  void shapesAndOffsetsThatAreNoSizesAreRefused() throws IOException {
    long[][] cases = { // dimensions, then the offset
      {-1, 0}, {1L << 62, 4, 0}, {1L << 40, 1L << 40, 0}, {3, -32}, {3, Long.MAX_VALUE}, {0, 3, 7}
    };
    for (long[] numbers : cases) {
      ByteBuffer bytes = header(1, 0).putLong(1).put((byte) 't').putInt(numbers.length - 1);
      for (int i = 0; i < numbers.length - 1; i++) {
        bytes.putLong(numbers[i]);
      }
      bytes.putInt(GgufType.F32.number()).putLong(numbers[numbers.length - 1]);
      assertThatThrownBy(() -> GgufFile.open(written(bytes)))
          .as(Arrays.toString(numbers))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("must be a GGUF file but ");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0  | ABCD     | it does not begin as a GGUF file of version 3",
        "4  | 02000000 | it does not begin as a GGUF file of version 3",
        // The type of the first value, and of the first tensor.
        "52 | 0c000000 | a value has the type 12",
        "352 | 02000000 | a tensor has the type 2",
      })
  void messagesSayWhatIsWrong(int at, String hex, String says) throws IOException {
    byte[] damaged = Files.readAllBytes(FIXTURE);
    byte[] bytes =
        hex.startsWith("A") ? hex.getBytes(StandardCharsets.US_ASCII) : HEX.parseHex(hex);
    System.arraycopy(bytes, 0, damaged, at, bytes.length);
    Path file = Files.write(folder.resolve("wrong.gguf"), damaged);
    assertThatThrownBy(() -> GgufFile.open(file))
        .isInstanceOf(DpoException.class)
        .hasMessage("[%s] must be a GGUF file but %s", file, says);
  }

  @Test
  void aKeyOrTensorThatIsThereTwiceIsRefused() throws IOException {
    ByteBuffer keys = header(0, 2);
    ByteBuffer tensors = header(2, 0);
    IntStream.range(0, 2)
        .forEach(
            i -> {
              keys.putLong(1).put((byte) 'k').putInt(4).putInt(i);
              tensors.putLong(1).put((byte) 't').putInt(1).putLong(1).putInt(0).putLong(0);
            });
    assertThatThrownBy(() -> GgufFile.open(written(keys)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("the key k is there twice");
    assertThatThrownBy(() -> GgufFile.open(written(tensors)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("the tensor t is there twice");
  }

  @Test
  void aFileThatIsNotThereIsAMessage() {
    Path file = folder.resolve("none.gguf");
    assertThatThrownBy(() -> GgufFile.open(file))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("[%s] could not be read: ", file);
  }

  private static ByteBuffer header(long tensors, long keys) {
    return ByteBuffer.allocate(4096)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put("GGUF".getBytes(StandardCharsets.US_ASCII))
        .putInt(3)
        .putLong(tensors)
        .putLong(keys);
  }

  private Path written(ByteBuffer bytes) throws IOException {
    byte[] all = new byte[bytes.capacity()];
    bytes.clear().get(all);
    return Files.write(folder.resolve("made.gguf"), all);
  }

  private Path write(String name, GgufMetadata keys, List<GgufTensor> tensors) throws IOException {
    Path file = folder.resolve(name);
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      GgufWriter.write(file, channel, keys, tensors);
    }
    return file;
  }
}
