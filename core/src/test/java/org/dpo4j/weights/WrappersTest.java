package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: a text model within a model of text and images whose keys, weights or adapters are taken
 * for those of the whole, or the other way round. {@link FamiliesTest} compares the numbers.
 */
class WrappersTest {

  private static final String TEXT_WEIGHTS = "language_model.model.";
  private static final String NORM = TEXT_WEIGHTS + "norm.weight";

  private final Path folder;

  WrappersTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "gemma3     | num_attention_heads  | 0.5     | \"text_config.num_attention_heads\" must be",
        "gemma3     | is_causal            | false   | \"text_config.is_causal\" false is not",
        "gemma3     | per_layer_config     | {\"0\":1} | \"text_config.per_layer_config\" {",
        "gemma3     | text_config          | {\"0\":1} | \"text_config.text_config\" {",
        "gemma3     | use_bidirectional_attention | true | \"text_config.use_bidirectional_attention\"",
        "llava      | model_type           | \"gemma\" | supported is llama, mistral, ministral3,",
        "internvl   | embedding_multiplier | 2       | \"text_config.embedding_multiplier\" 2 is not",
        "qwen2_vl   | rope_parameters      | {\"rope_theta\":9,\"mrope_section\":[1,1,1]} | must have the sum 4",
        "qwen2_vl   | rope_parameters      | {}      | sum 4, half of the width of a head, but that is 64",
        "gemma3     | vocab_size           |         | file [48, 16], model [262208, 16]",
        "llava      | hidden_size          |         | model [48, 4096]",
      })
  void messagesNameTheKeysOfTheTextModel(
      String type, String key, @Nullable String json, String message) throws IOException {
    Path model = copy(type);
    ModelFolders.editConfig(
        model,
        config -> {
          ObjectNode text = (ObjectNode) config.get("text_config");
          text.remove(key);
          if (json != null) {
            text.set(key, Json.STRICT.readTree(json));
          }
        });

    assertThatThrownBy(() -> ModelReader.open(model))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "gemma3  | text_config         |       | \"text_config\" must be given",
        "gemma3  | architectures       | [\"Gemma3ForCausalLM\"] | [\"Gemma3ForConditionalGeneration\"] for",
        "gemma3  | quantization_config | {\"a\":1} | use the checkpoint before quantization",
        "smolvlm | tie_word_embeddings | true  | lm_head.weight differs from model.text_model.embed_tokens",
        "mistral3 | tie_word_embeddings | false | 1 missing (lm_head.weight)",
      })
  void keysOfTheWholeAreChecked(String type, String key, @Nullable String json, String message)
      throws IOException {
    Path model = copy(type);
    ModelFolders.editConfig(
        model,
        config -> {
          config.remove(key);
          if (json != null) {
            config.set(key, Json.STRICT.readTree(json));
          }
        });

    assertThatThrownBy(() -> ModelReader.open(model))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(message);
  }

  @Test
  void aWrapperIsNoRewardModel() throws IOException {
    Path model = copy("gemma3");
    ModelFolders.setConfig(model, "architectures", "[\"Gemma3ForSequenceClassification\"]");

    assertThatThrownBy(() -> RewardModel.open("model", model))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("supported is a reward model of text alone");
  }

  /** As transformers 4.52 saved some of them. */
  @Test
  void filesMayHaveTheNamesOfTheModule() throws IOException {
    Path model = copy("gemma3");
    double[] expected = logits(model);
    ModelFolders.rename(
        model,
        (names, name) ->
            names.add(
                name.startsWith(TEXT_WEIGHTS)
                    ? "model.language_model." + name.substring(TEXT_WEIGHTS.length())
                    : "model." + name));

    assertThat(logits(model)).isEqualTo(expected);
  }

  /** A tensor of no known tower is no reason to guess. */
  @Test
  void aTensorOfNoTowerIsUnexpected() throws IOException {
    Path model = copy("gemma3");
    ModelFolders.editWeights(
        model, tensors -> tensors.put("audio_tower.w", ModelFolders.get(tensors, NORM)));

    assertThatThrownBy(() -> ModelReader.open(model))
        .hasMessageContaining("1 unexpected (audio_tower.w)");
  }

  /** A head that equals the table is one with it, and is written again. */
  @Test
  void aHeadInTheFileThatEqualsTheTableIsTied() throws IOException {
    Path model = copy("mistral3");
    String head = "language_model.lm_head.weight";
    String table = TEXT_WEIGHTS + "embed_tokens.weight";
    ModelFolders.editWeights(model, tensors -> tensors.put(head, ModelFolders.get(tensors, table)));

    try (LoadedModel loaded = ModelReader.open(model)) {
      assertThat(loaded.names().copies())
          .isEqualTo(Map.of(head, "model.language_model.embed_tokens.weight"));
    }
  }

  /** Other towers have the type of neither the weights nor what is saved. */
  @Test
  void theTypeIsThatOfTheTextModel() throws IOException {
    Path model = copy("gemma3");
    try (LoadedModel loaded = ModelReader.open(model)) {
      long others = loaded.checkpoint().otherTowerBytes();
      try (TensorScope scope = TensorScope.open()) {
        Map<String, Tensor> more = Map.of("vision_tower.w", Tensors.zeros(ElementType.F32, 9000));
        SafetensorsWriter.write(model.resolve("more.safetensors"), more, ElementType.F32);
      }
      Files.move(model.resolve("model.safetensors"), model.resolve("first.safetensors"));
      ObjectNode index = Json.STRICT.createObjectNode();
      ObjectNode map = index.putObject("weight_map");
      map.put("vision_tower.w", "more.safetensors");
      SafetensorsFile.open(model.resolve("first.safetensors"))
          .names()
          .forEach(name -> map.put(name, "first.safetensors"));
      Files.writeString(model.resolve(Checkpoint.INDEX), index.toString());

      ModelBlueprint blueprint = ModelBlueprint.read("model", model);
      assertThat(Checkpoint.open(model).dtype()).isEqualTo(ElementType.F32);
      assertThat(blueprint.checkpoint().dtype()).isEqualTo(ElementType.BF16);
      assertThat(blueprint.checkpoint().otherTowerBytes()).isEqualTo(others + 36_000);
      assertThat(blueprint.checkpoint().sha256()).isEqualTo(Checkpoint.open(model).sha256());
    }
  }

  /** The image tower has layers of the same name, which PEFT would adapt too. */
  @Test
  void anAdapterNamesTheLayersOfTheTextModelAlone() throws IOException {
    LoraConfig config =
        new LoraConfig(
            2,
            4,
            0,
            false,
            new TargetModules.Named(List.of("q_proj")),
            List.of(),
            Map.of(),
            Map.of());
    try (LoadedModel base = ModelReader.open(ModelFolders.fixture("families/gemma3"));
        PeftAdapter adapter = PeftAdapter.create(config, base, new RandomNumbers(3))) {
      adapter.write(folder, base, ElementType.F32);
    }

    ObjectNode written = HuggingFaceConfig.tree(folder.resolve(PeftAdapter.CONFIG));
    String layers = "model.language_model.layers.";
    assertThat(written.get("target_modules").toString())
        .isEqualTo(
            "[\"%1$s0.self_attn.q_proj\",\"%1$s1.self_attn.q_proj\",\"%1$s2.self_attn.q_proj\"]"
                .formatted(layers));
    assertThat(SafetensorsFile.open(folder.resolve(Checkpoint.ADAPTER)).names())
        .contains("base_model.model." + layers + "0.self_attn.q_proj.lora_A.weight");
    try (LoadedModel base = ModelReader.open(ModelFolders.fixture("families/gemma3"));
        PeftAdapter adapter = PeftAdapter.open("adapter", folder, base)) {
      assertThat(adapter.model().plan().layers()).hasSize(3);
    }
  }

  @Test
  void endTokensMayBeThoseOfTheTextModel() throws IOException {
    Path model = copy("gemma3");
    ModelFolders.editConfig(
        model, config -> ((ObjectNode) config.get("text_config")).put("eos_token_id", 5));
    try (LoadedModel loaded = ModelReader.open(model)) {
      assertThat(loaded.endTokenIds()).containsExactly(5);
    }
    ModelFolders.setConfig(model, "eos_token_id", "[1, 6]");
    try (LoadedModel loaded = ModelReader.open(model)) {
      assertThat(loaded.endTokenIds()).containsExactly(1, 6);
    }
  }

  @Test
  void theConfigKeepsItsKeysAndNamesTheNewType() throws IOException {
    Path model = copy("gemma3");
    Files.writeString(model.resolve("preprocessor_config.json"), "{}");
    ModelFolders.editConfig(
        model, config -> ((ObjectNode) config.get("text_config")).put("torch_dtype", "bfloat16"));
    Path written = folder.resolve("written");
    try (LoadedModel loaded = ModelReader.open(model)) {
      new ModelWriter().write(written, loaded, loaded.model(), ElementType.F16);
    }

    ObjectNode config = HuggingFaceConfig.tree(written.resolve("config.json"));
    ObjectNode before = HuggingFaceConfig.tree(model.resolve("config.json"));
    before.put("dtype", "float16");
    ((ObjectNode) before.get("text_config")).put("torch_dtype", "float16");
    assertThat(config).isEqualTo(before);
    assertThat(written.resolve("preprocessor_config.json")).exists();
  }

  @Test
  void everyKeyThatIsNotKnownIsFound() throws IOException {
    Path model = copy("gemma3");
    ModelFolders.editConfig(
        model,
        config -> {
          config.put("new_key", 1);
          ((ObjectNode) config.get("text_config")).put("newer_key", 1).put("top_k", 50);
          ((ObjectNode) config.get("vision_config")).put("of_images", 1);
        });

    assertThat(Set.copyOf(ModelBlueprint.read("model", model).config().unread()))
        .containsExactlyInAnyOrder("new_key", "text_config.newer_key");
  }

  private Path copy(String family) throws IOException {
    Path copy = Files.createDirectories(folder.resolve("model"));
    try (Stream<Path> files = Files.list(ModelFolders.fixture("families/" + family))) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(file.getFileName().toString()));
      }
    }
    return copy;
  }

  private static double[] logits(Path model) {
    try (LoadedModel loaded = ModelReader.open(model);
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return Tensors.toDoubles(ModelReaderTest.logits(loaded.model(), new long[] {3, 1, 4, 1, 5}));
    }
  }
}
