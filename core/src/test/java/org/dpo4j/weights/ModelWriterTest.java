package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

/** Against checkpoints that other tools would read as another model. */
class ModelWriterTest {

  private final Path temp;

  ModelWriterTest(@TempDir Path temp) {
    this.temp = temp;
  }

  /** The fixtures were saved by transformers: layout, order and indentation are the same. */
  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama"})
  void loadedAndSavedAgainEveryFileHasTheSameBytes(String name) throws IOException {
    Path source = ModelFolders.fixture("models/" + name);
    Path out = temp.resolve("out");
    try (LoadedModel loaded = ModelReader.open(source)) {
      new ModelWriter().write(out, loaded, loaded.model(), ElementType.F32);
    }
    for (String file :
        List.of(
            "model.safetensors",
            "generation_config.json",
            "tokenizer_config.json",
            "chat_template.jinja")) {
      assertThat(out.resolve(file)).hasSameBinaryContentAs(source.resolve(file));
    }
    String config = Files.readString(out.resolve("config.json"));
    assertThat(config.replace("1.0E-5", "1e-05").replace("1.0E-6", "1e-06"))
        .isEqualTo(Files.readString(source.resolve("config.json")));
  }

  @Test
  void shardsStayBelowTheLimitAndHoldTheSameWeights() throws IOException {
    Path out = temp.resolve("out");
    long limit = 300_000; // the embedding alone has 1,048,576 bytes
    try (LoadedModel loaded = ModelReader.open(ModelFolders.fixture("models/gpt2"))) {
      new ModelWriter(limit).write(out, loaded, loaded.model(), ElementType.F32);
      Checkpoint written = Checkpoint.open(out);
      for (String name : loaded.checkpoint().names()) {
        assertThat(written.file(name).sameBytes(name, loaded.checkpoint().file(name), name))
            .as(name)
            .isTrue();
      }
      assertThat(written.names()).isEqualTo(loaded.checkpoint().names());
      ObjectNode index = HuggingFaceConfig.tree(out.resolve("model.safetensors.index.json"));
      long parameters = loaded.model().parameters().count();
      assertThat(index.get("metadata").get("total_size").longValue()).isEqualTo(4 * parameters);
    }
    assertThat(out.resolve("model.safetensors")).doesNotExist();
    try (Stream<Path> files = Files.list(out)) {
      List<Path> shards =
          files.filter(f -> f.toString().endsWith(".safetensors")).sorted().toList();
      assertThat(shards.get(0)).hasFileName("model-00001-of-0000" + shards.size() + ".safetensors");
      assertThat(shards)
          .hasSizeBetween(3, 9)
          .allSatisfy(
              shard -> {
                SafetensorsFile file = SafetensorsFile.open(shard);
                long bytes =
                    file.names().stream().mapToLong(n -> 4 * file.entry(n).elements()).sum();
                assertThat(bytes <= limit || file.names().size() == 1).isTrue();
              });
    }
    try (LoadedModel again = ModelReader.open(out)) {
      assertThat(again.model().parameters().all()).hasSize(28);
    }
  }

  @Test
  void theNamesOfTheSourceAreKeptAndAStoredHeadFollowsTheEmbedding() throws IOException {
    Path source = ModelFolders.copy("gpt2", temp.resolve("source"));
    ModelFolders.rename(
        source,
        (names, name) -> {
          names.add(name.replace("transformer.", ""));
          if (name.endsWith("wte.weight")) {
            names.add("lm_head.weight");
          }
        });
    Path out = temp.resolve("out");
    try (LoadedModel loaded = ModelReader.open(source);
        NoGrad noGrad = NoGrad.open()) {
      loaded.model().parameters().all().get(0).tensor().add_(Tensors.scalar(1));
      new ModelWriter().write(out, loaded, loaded.model(), ElementType.F32);
    }
    Checkpoint before = Checkpoint.open(source);
    Checkpoint after = Checkpoint.open(out);
    assertThat(after.names()).isEqualTo(before.names()).contains("lm_head.weight", "h.0.ln_1.bias");
    SafetensorsFile file = after.file("wte.weight");
    assertThat(file.sameBytes("wte.weight", file, "lm_head.weight")).isTrue();
    assertThat(file.sameBytes("wte.weight", before.file("wte.weight"), "wte.weight")).isFalse();
  }

  @Test
  void theConfigKeepsUnknownKeysInOrderAndNamesTheSavedType() throws IOException {
    Path source = ModelFolders.copy("llama", temp.resolve("source"));
    ModelFolders.editConfig(
        source,
        config -> {
          config.remove("dtype");
          config.put("_name_or_path", "/home/someone/model");
          config.put("torch_dtype", "float32").put("of_my_own", "kept");
        });
    Path out = temp.resolve("out");
    try (LoadedModel loaded = ModelReader.open(source)) {
      new ModelWriter().write(out, loaded, loaded.model(), ElementType.F16);
    }
    ObjectNode config = HuggingFaceConfig.tree(out.resolve("config.json"));
    assertThat(config.get("torch_dtype").stringValue()).isEqualTo("float16");
    assertThat(config.has("dtype")).isFalse();
    assertThat(config.has("_name_or_path")).isFalse();
    assertThat(config.get("of_my_own").stringValue()).isEqualTo("kept");
    List<String> expected =
        HuggingFaceConfig.tree(source.resolve("config.json"))
            .propertyStream()
            .map(java.util.Map.Entry::getKey)
            .filter(key -> !key.equals("_name_or_path"))
            .toList();
    assertThat(config.propertyStream().map(java.util.Map.Entry::getKey).toList())
        .isEqualTo(expected);
    assertThat(Checkpoint.open(out).dtype()).isEqualTo(ElementType.F16);
  }

  @Test
  void everyFileOfTheTokenizerIsCopied() throws IOException {
    Path source = ModelFolders.copy("llama", temp.resolve("source"));
    Files.createDirectory(source.resolve("additional_chat_templates"));
    List<String> files =
        List.of(
            "tokenizer.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "vocab.json",
            "merges.txt",
            "tokenizer.model",
            "additional_chat_templates/rag.jinja");
    for (String file : files) {
      Files.writeString(source.resolve(file), file + "\r\n\u00e9");
    }
    Path out = temp.resolve("out");
    try (LoadedModel loaded = ModelReader.open(source)) {
      new ModelWriter().write(out, loaded, loaded.model(), ElementType.F32);
    }
    for (String file : files) {
      assertThat(out.resolve(file)).hasSameBinaryContentAs(source.resolve(file));
    }
    assertThat(out.resolve("expected_logps.json")).doesNotExist();
  }

  @Test
  void anExistingFileIsLeftAsItIs() throws IOException {
    Path out = Files.createDirectory(temp.resolve("out"));
    Path config = Files.writeString(out.resolve("config.json"), "mine");
    try (LoadedModel loaded = ModelReader.open(ModelFolders.fixture("models/llama"))) {
      assertThatThrownBy(
              () -> new ModelWriter().write(out, loaded, loaded.model(), ElementType.F32))
          .isInstanceOf(DpoException.class)
          .hasMessage("[" + config + "] could not be written: is in the way");
    }
    assertThat(config).hasContent("mine");
  }
}
