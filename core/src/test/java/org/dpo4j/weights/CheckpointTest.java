package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against shards and an index that do not belong together. */
class CheckpointTest {

  private final Path folder;

  CheckpointTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeEach
  void writeTwoShards() throws IOException {
    try (TensorScope scope = TensorScope.open()) {
      SafetensorsWriter.write(
          folder.resolve("1.safetensors"),
          Map.of("a", Tensors.floats(1, 2), "b", Tensors.floats(3)),
          ElementType.F32);
      SafetensorsWriter.write(
          folder.resolve("2.safetensors"),
          Map.of("c", Tensors.floats(4, 5, 6, 7)),
          ElementType.BF16);
    }
    index("{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\",\"c\":\"2.safetensors\"}");
  }

  private void index(String map) throws IOException {
    Files.writeString(
        folder.resolve("model.safetensors.index.json"),
        "{\"metadata\":{\"total_size\":20},\"weight_map\":" + map + "}");
  }

  @Test
  void shardsAreOneSetOfWeights() {
    Checkpoint checkpoint = Checkpoint.open(folder);
    assertThat(checkpoint.names()).containsExactly("a", "b", "c");
    try (TensorScope scope = TensorScope.open()) {
      var target = Tensors.empty(ElementType.F32, 4);
      checkpoint.copyTo("c", target);
      assertThat(Tensors.toDoubles(target)).containsExactly(4, 5, 6, 7);
    }
  }

  /** Four of seven numbers are bf16, though two of three tensors are fp32. */
  @Test
  void theCommonestTypeIsThatOfMostNumbers() {
    assertThat(Checkpoint.open(folder).dtype()).isEqualTo(ElementType.BF16);
  }

  /** The same as {@code cat 1.safetensors 2.safetensors | sha256sum}. */
  @Test
  void theHashIsThatOfTheFilesInTheOrderOfTheirNames() throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    digest.update(Files.readAllBytes(folder.resolve("1.safetensors")));
    digest.update(Files.readAllBytes(folder.resolve("2.safetensors")));
    assertThat(Checkpoint.open(folder).sha256())
        .isEqualTo(HexFormat.of().formatHex(digest.digest()));
  }

  /** As in a download cache, where every file of a folder is a link to one elsewhere. */
  @Test
  void filesMayBeLinks(@TempDir Path elsewhere) throws IOException {
    Path moved = Files.move(folder.resolve("2.safetensors"), elsewhere.resolve("blob"));
    Files.createSymbolicLink(folder.resolve("2.safetensors"), moved);
    assertThat(Checkpoint.open(folder).names()).hasSize(3);
  }

  @Test
  void allDifferencesBetweenIndexAndShardsAreListed() throws IOException {
    index("{\"a\":\"2.safetensors\",\"c\":\"2.safetensors\",\"d\":\"1.safetensors\"}");
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("a is not in 2.safetensors")
        .hasMessageContaining("d is not in 1.safetensors")
        .hasMessageContaining("b in 1.safetensors is not listed")
        .hasMessageContaining("a is listed elsewhere and also in 1.safetensors");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../1.safetensors",
        "/1.safetensors",
        "..\\\\1.safetensors",
        "C:1.safetensors",
        "",
        "sub/1.safetensors"
      })
  void aShardOutsideTheFolderIsRefused(String file) throws IOException {
    index("{\"a\":\"" + file + "\"}");
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("must name files in the same folder but \"a\" is in");
  }

  @Test
  void aNameThatTheIndexListsTwiceIsRefused() throws IOException {
    index("{\"a\":\"1.safetensors\",\"a\":\"2.safetensors\"}");
    assertThatThrownBy(() -> Checkpoint.open(folder)).hasMessageContaining("Duplicate");
  }

  @Test
  void anIndexWithoutShardsIsRefused() throws IOException {
    index("{}");
    assertThatThrownBy(() -> Checkpoint.open(folder)).hasMessageContaining("\"weight_map\"");
    index("{\"a\":\"3.safetensors\"}");
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .hasMessageContaining("lists 3.safetensors, which is missing");
  }

  @Test
  void aFolderWithoutReadableWeightsSaysWhatItHas(@TempDir Path other) throws IOException {
    assertThatThrownBy(() -> Checkpoint.open(other))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("has no weights: there must be model.safetensors or");
    Path adapter = Files.createFile(other.resolve("adapter_model.safetensors"));
    assertThatThrownBy(() -> Checkpoint.open(other)).hasMessageContaining("has an adapter");
    Files.delete(adapter);
    Files.createFile(other.resolve("pytorch_model.bin"));
    assertThatThrownBy(() -> Checkpoint.open(other))
        .hasMessageContaining("pytorch_model.bin")
        .hasMessageContaining("convert it in Python");
  }
}
