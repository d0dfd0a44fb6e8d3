package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against files that lie about themselves, and against numbers that change on the way in. */
class SafetensorsFileTest {

  private final Path folder;

  SafetensorsFileTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** The fixture holds, beside each tensor, the fp32 values that PyTorch makes of it. */
  @ParameterizedTest
  @ValueSource(strings = {"f16", "bf16", "f64"})
  void everyFloatingTypeIsConvertedBitByBitAsInPyTorch(String name) {
    SafetensorsFile file = SafetensorsFile.open(ModelFolders.fixture("weights/types.safetensors"));
    try (TensorScope scope = TensorScope.open()) {
      int[] found = bits(read(file, name, ElementType.F32));
      int[] expected = bits(read(file, name + "_as_f32", ElementType.F32));
      assertThat(found).hasSize(328).isEqualTo(expected);
      assertThat(Arrays.stream(found).distinct().count()).isGreaterThan(250);
    }
  }

  @Test
  void integersAreReadWhole() {
    SafetensorsFile file = SafetensorsFile.open(ModelFolders.fixture("weights/types.safetensors"));
    try (TensorScope scope = TensorScope.open()) {
      assertThat(Tensors.toLongs(read(file, "i64", ElementType.I64)))
          .startsWith(-5, (1L << 36) - 5)
          .hasSize(17);
    }
  }

  @Test
  void readingInSmallPiecesGivesTheSameAsReadingAtOnce() {
    Path path = ModelFolders.fixture("weights/types.safetensors");
    SafetensorsFile pieces = SafetensorsFile.open(path, 24);
    SafetensorsFile whole = SafetensorsFile.open(path);
    try (TensorScope scope = TensorScope.open()) {
      for (String name : List.of("f64", "f32", "bf16")) {
        assertThat(bits(read(pieces, name, ElementType.F32)))
            .isEqualTo(bits(read(whole, name, ElementType.F32)));
      }
    }
  }

  @Test
  void elementsAtAnOddAddressAreRead() throws IOException {
    String header = "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    String odd = header + (header.length() % 2 == 0 ? " " : "");
    SafetensorsFile file =
        SafetensorsFile.open(ModelFolders.safetensors(folder.resolve("odd"), odd, 8));
    float first =
        ByteBuffer.wrap(new byte[] {0, 1, 2, 3}).order(ByteOrder.LITTLE_ENDIAN).getFloat();
    float second =
        ByteBuffer.wrap(new byte[] {4, 5, 6, 7}).order(ByteOrder.LITTLE_ENDIAN).getFloat();
    try (TensorScope scope = TensorScope.open()) {
      assertThat(Tensors.toFloats(read(file, "x", ElementType.F32))).containsExactly(first, second);
    }
  }

  @Test
  void aTypeThatCannotBeReadIsRefusedOnlyWhenAskedFor() throws IOException {
    Path path =
        ModelFolders.safetensors(
            folder.resolve("ints"),
            "{\"a\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                + "\"b\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[8,10]}}",
            10);
    SafetensorsFile file = SafetensorsFile.open(path);
    assertThat(file.names()).containsExactly("a", "b");
    try (TensorScope scope = TensorScope.open()) {
      // bytes 8, 9 as fp16: exponent 0x09 >> 2 = 2, mantissa 0x108
      assertThat(Tensors.toDoubles(read(file, "b", ElementType.F32)))
          .containsExactly(Math.scalb(1 + 0x108 / 1024.0, 2 - 15));
      assertThatThrownBy(() -> file.copyTo("a", Tensors.empty(ElementType.F32, 2)))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("tensor \"a\" must be of type F64, F32, F16, BF16 or I64")
          .hasMessageContaining("but is I32");
      assertThatThrownBy(() -> file.entry("c")).hasMessageContaining("no tensor named \"c\"");
    }
  }

  @Test
  void aTargetOfAnotherShapeIsRefused() {
    SafetensorsFile file = SafetensorsFile.open(ModelFolders.fixture("weights/types.safetensors"));
    try (TensorScope scope = TensorScope.open()) {
      assertThatThrownBy(() -> file.copyTo("f32", Tensors.empty(ElementType.F32, 327)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("f32 must have shape [328] but has [327]");
    }
  }

  @Test
  void aFileThatChangedAfterItWasOpenedIsRefused() throws IOException {
    Path path =
        Files.copy(
            ModelFolders.fixture("weights/types.safetensors"), folder.resolve("x.safetensors"));
    SafetensorsFile file = SafetensorsFile.open(path);
    Files.write(path, Arrays.copyOf(Files.readAllBytes(path), 4000));
    try (TensorScope scope = TensorScope.open()) {
      Tensor target = Tensors.empty(ElementType.F32, 328);
      assertThatThrownBy(() -> file.copyTo("f32", target))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("changed since it was opened");
    }
  }

  /** Headers over four bytes of data; quotes are written as ' here. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          ['x']                                                             | does not begin with {
          {'x':                                                             | not valid JSON
          {'x':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}} {}         | not valid JSON
          {'x':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'x':1}      | Duplicate
          {'x':{'dtype':'F32','shape':[1],'shape':[1],'data_offsets':[0,4]}}| Duplicate
          {'x':{'dtype':'F32','data_offsets':[0,4]}}                        | must have dtype, shape and data_offsets
          {'x':{'dtype':'F32','shape':[1],'data_offsets':[0,4],'y':0}}      | must have dtype, shape and data_offsets
          {'x':[]}                                                          | must have dtype, shape and data_offsets
          {'x':{'dtype':'F31','shape':[1],'data_offsets':[0,4]}}            | unknown dtype "F31"
          {'x':{'dtype':'F32','shape':[-1],'data_offsets':[0,4]}}           | shape must hold integers of 0 or more but holds -1
          {'x':{'dtype':'F32','shape':[1.0],'data_offsets':[0,4]}}          | shape must hold integers of 0 or more but holds 1.0
          {'x':{'dtype':'F32','shape':['1'],'data_offsets':[0,4]}}          | shape must hold integers of 0 or more but holds "1"
          {'x':{'dtype':'F32','shape':[99999999999999999999],'data_offsets':[0,4]}} | shape must hold integers
          {'x':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,4]}} | too large: shape [4294967296, 4294967296]
          {'x':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}}            | shape [2] must have 8 bytes but data_offsets give it 4
          {'x':{'dtype':'F32','shape':[1],'data_offsets':[0]}}              | must be [begin, end] but are [0]
          {'x':{'dtype':'F32','shape':[1],'data_offsets':[4,0]}}            | must be [begin, end] but are [4,0]
          {'x':{'dtype':'F32','shape':[1],'data_offsets':[-4,0]}}           | data_offsets must hold integers of 0 or more but holds -4
          {'x':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}            | cut off: the tensors must have 8 bytes but the file has 4
          {'x':{'dtype':'F16','shape':[1],'data_offsets':[0,2]}}            | has 2 bytes after its last tensor
          {'x':{'dtype':'F16','shape':[1],'data_offsets':[2,4]}}            | must begin at byte 0, where the tensor before it ends, but begins at 2
          {'x':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'y':{'dtype':'F16','shape':[1],'data_offsets':[2,4]}} | "y" must begin at byte 4
          {'x':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},'y':{'dtype':'F16','shape':[1],'data_offsets':[2,4]}}  | "y" must begin at byte 1
          {}                                                                | has 4 bytes after its last tensor
          """)
  void aHeaderThatDoesNotFitTheFileIsRefused(String header, String message) throws IOException {
    Path path =
        ModelFolders.safetensors(folder.resolve("bad"), header.strip().replace('\'', '"'), 4);
    assertThatThrownBy(() -> SafetensorsFile.open(path))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("[" + path + "] ")
        .hasMessageContaining(message);
  }

  @Test
  void aFileOfNoTensorsAndOneOfEmptyTensorsAreFine() throws IOException {
    Path none = ModelFolders.safetensors(folder.resolve("none"), "{}", 0);
    Path empty =
        ModelFolders.safetensors(
            folder.resolve("empty"),
            "{\"e\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]},"
                + "\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
            4);
    assertThat(SafetensorsFile.open(none).names()).isEmpty();
    assertThat(SafetensorsFile.open(empty).entry("e").elements()).isZero();
  }

  @Test
  void anythingElseInPlaceOfWeightsIsCalledByItsName() throws IOException {
    Path pointer = folder.resolve("pointer");
    Files.writeString(
        pointer, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
    Path page = Files.writeString(folder.resolve("page"), "\n<!doctype html><title>404</title>");
    Path zip = Files.write(folder.resolve("zip"), new byte[] {'P', 'K', 3, 4, 0, 0, 0, 0, 0, 0});
    Path empty = Files.createFile(folder.resolve("empty"));
    Path tiny = Files.write(folder.resolve("tiny"), new byte[] {1, 2, 3});
    Path noise =
        Files.write(folder.resolve("noise"), new byte[] {-1, -1, -1, -1, -1, -1, -1, -1, 0});
    assertRefused(pointer, "is a git-lfs pointer, not weights; run git lfs pull");
    assertRefused(page, "is an HTML or XML page, not weights");
    assertRefused(zip, "is a zip archive");
    assertRefused(empty, "is empty");
    assertRefused(tiny, "has only 3 bytes");
    assertRefused(
        noise, "must be the header's length, 2 to 100000000, but are 18446744073709551615");
    assertRefused(folder, "must be a safetensors file but is a folder");
    assertRefused(folder.resolve("absent"), "does not exist");
  }

  /**
   * The lengths 19280 and 15392 are, as bytes, the letters PK of a zip and a blank and a {@code <}.
   */
  @ParameterizedTest
  @ValueSource(ints = {19280, 15392, 60})
  void aHeaderWhoseLengthSpellsAnotherKindOfFileIsRead(int length) throws IOException {
    String header = "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    String padded = header + " ".repeat(length - header.length());
    Path path = ModelFolders.safetensors(folder.resolve("padded"), padded, 4);
    assertThat(SafetensorsFile.open(path).names()).containsExactly("x");
  }

  @Test
  void aFileThatEndsAnywhereTooEarlyIsRefused() throws IOException {
    byte[] whole = Files.readAllBytes(ModelFolders.fixture("weights/rounded_bf16.safetensors"));
    for (int length = 0; length < whole.length; length++) {
      Path path = Files.write(folder.resolve("cut"), Arrays.copyOf(whole, length));
      assertThatThrownBy(() -> SafetensorsFile.open(path)).isInstanceOf(DpoException.class);
    }
    assertRefused(Files.write(folder.resolve("cut"), Arrays.copyOf(whole, 20)), "is cut off");
  }

  private static void assertRefused(Path path, String message) {
    assertThatThrownBy(() -> SafetensorsFile.open(path))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("[" + path + "] ")
        .hasMessageContaining(message);
  }

  private static Tensor read(SafetensorsFile file, String name, ElementType type) {
    Tensor tensor =
        Tensors.empty(type, file.entry(name).shape().stream().mapToLong(Long::longValue).toArray());
    file.copyTo(name, tensor);
    return tensor;
  }

  private static int[] bits(Tensor tensor) {
    float[] values = Tensors.toFloats(tensor);
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }
}
