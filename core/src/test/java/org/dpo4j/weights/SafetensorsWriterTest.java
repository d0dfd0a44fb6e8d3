package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Against files that other tools read differently, and against values lost on the way out. */
class SafetensorsWriterTest {

  private final Path folder;

  SafetensorsWriterTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** The fixtures were written by the safetensors library from the same fp32 values. */
  @ParameterizedTest
  @EnumSource(names = {"BF16", "F16"})
  void aRoundedFileHasTheBytesOfTheSafetensorsLibrary(ElementType type) throws IOException {
    Path out = folder.resolve("out.safetensors");
    try (TensorScope scope = TensorScope.open()) {
      Tensor values =
          ModelFolders.get(
              ModelFolders.read(ModelFolders.fixture("weights/types.safetensors")), "f32");
      SafetensorsWriter.write(
          out, Map.of("b", values.view(8, 41), "a.weight", Tensors.rows(values, 0, 0, 7)), type);
    }
    String expected = "weights/rounded_" + type.name().toLowerCase(java.util.Locale.ROOT);
    assertThat(out).hasSameBinaryContentAs(ModelFolders.fixture(expected + ".safetensors"));
  }

  @Test
  void theOrderInWhichTensorsComeDoesNotMatter() throws IOException {
    try (TensorScope scope = TensorScope.open()) {
      Tensor one = Tensors.floats(1, 2);
      Tensor two = Tensors.floats(3);
      Map<String, Tensor> reversed = new LinkedHashMap<>();
      reversed.put("b", two);
      reversed.put("a", one);
      Map<String, Tensor> ordered = new LinkedHashMap<>();
      ordered.put("a", one);
      ordered.put("b", two);
      SafetensorsWriter.write(folder.resolve("1"), reversed, ElementType.F32);
      SafetensorsWriter.write(folder.resolve("2"), ordered, ElementType.F32);
    }
    assertThat(folder.resolve("1")).hasSameBinaryContentAs(folder.resolve("2"));
    assertThat(SafetensorsFile.open(folder.resolve("1")).names()).containsExactly("a", "b");
  }

  @Test
  void aNameOfAnyCharactersComesBack() {
    String name = "a\"\\\n\u00e9\ud83d\ude00";
    try (TensorScope scope = TensorScope.open()) {
      Path path = folder.resolve("names");
      SafetensorsWriter.write(path, Map.of(name, Tensors.doubles(0.1)), ElementType.F64);
      Tensor back = Tensors.empty(ElementType.F64, 1);
      SafetensorsFile.open(path).copyTo(name, back);
      assertThat(Tensors.toDoubles(back)).containsExactly(0.1);
    }
  }

  @Test
  void anExistingFileIsLeftAsItIs() throws IOException {
    Path path = Files.writeString(folder.resolve("x"), "mine");
    try (TensorScope scope = TensorScope.open()) {
      Tensor tensor = Tensors.floats(1);
      assertThatThrownBy(() -> SafetensorsWriter.write(path, Map.of("x", tensor), ElementType.F32))
          .isInstanceOf(DpoException.class)
          .hasMessage("[" + path + "] could not be written: is in the way");
    }
    assertThat(path).hasContent("mine");
  }

  /** 70000 is above 65504, the largest of fp16, but not of bf16. */
  @Test
  void aValueThatTheTypeCannotHoldIsRefusedInsteadOfBecomingInfinite() {
    try (TensorScope scope = TensorScope.open()) {
      Map<String, Tensor> large = Map.of("w", Tensors.floats(1, 70000, -70000));
      assertThatThrownBy(
              () -> SafetensorsWriter.write(folder.resolve("f16"), large, ElementType.F16))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("\"w\" has values that are infinite or not a number as float16 (2")
          .hasMessageEndingWith("save as bfloat16 or float32");
      SafetensorsWriter.write(folder.resolve("bf16"), large, ElementType.BF16);
      for (ElementType type : new ElementType[] {ElementType.F32, ElementType.F64}) {
        assertThatThrownBy(
                () ->
                    SafetensorsWriter.write(
                        folder.resolve(type.name()), Map.of("w", Tensors.floats(Float.NaN)), type))
            .hasMessageContaining("not a number as " + type.torchName());
      }
    }
  }
}
