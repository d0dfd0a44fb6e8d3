package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: an adapter that loses or renames weights or settings between PEFT's files and ours, one
 * that is taken although it is not of the model, and a setting that is read past.
 */
class PeftAdapterTest {

  /** The fields of PEFT 0.21.2's LoraConfig. */
  private static final String PEFT_KEYS =
      """
      alora_invocation_tokens alpha_pattern arrow_config auto_mapping base_model_name_or_path bias
      corda_config ensure_weight_tying eva_config exclude_modules fan_in_fan_out inference_mode
      init_lora_weights kasa_config layer_replication layers_pattern layers_to_transform
      loftq_config lora_alpha lora_bias lora_dropout lora_ga_config megatron_config megatron_core
      modules_to_save monteclora_config peft_type peft_version qalora_group_size r rank_pattern
      revision runtime_config target_modules target_parameters task_type trainable_token_indices
      use_bdlora use_dora use_qalora use_rslora velora_config
      """;

  private final Path folder;

  PeftAdapterTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @ParameterizedTest
  @CsvSource({
    "llama-r8,llama",
    "gpt2-r4,gpt2",
    "gpt2-bias,gpt2",
    "gpt2-bias-only,gpt2",
    "llama-dora,llama",
    "gpt2-dora,gpt2",
  })
  void whatIsReadIsWrittenAgainUnderPeftsNamesWithAllKeys(String name, String model)
      throws IOException {
    Path adapter = copy(name);
    edit(adapter, json -> json.put("note", "kept"));
    Path written = Files.createDirectory(folder.resolve("written"));
    try (LoadedModel base = ModelReader.open(ModelFolders.fixture("models/" + model));
        PeftAdapter read = PeftAdapter.open("adapter", adapter, base)) {
      read.write(written, base, ElementType.F32);
      Map<String, Tensor> values = Rounding.copies(read.model().trained());
      Rounding.round(read.model().trained(), ElementType.BF16);
      SavedWeights.read(written, read);
      assertThat(read.model().trained().all())
          .allMatch(p -> p.tensor().equal(Objects.requireNonNull(values.get(p.name()))));
      values.values().forEach(Tensors::free);
    }
    SafetensorsFile before = SafetensorsFile.open(adapter.resolve(Checkpoint.ADAPTER));
    SafetensorsFile after = SafetensorsFile.open(written.resolve(Checkpoint.ADAPTER));
    assertThat(after.names()).containsExactlyInAnyOrderElementsOf(before.names());
    assertThat(before.names()).allMatch(n -> after.sameBytes(n, before, n));
    JsonNode config = HuggingFaceConfig.tree(written.resolve(PeftAdapter.CONFIG));
    assertThat(config).isEqualTo(HuggingFaceConfig.tree(adapter.resolve(PeftAdapter.CONFIG)));
    assertThat(written.resolve("config.json")).doesNotExist();
    assertThat(written.resolve("tokenizer_config.json")).exists();
  }

  /** The page lists what PEFT 0.21's LoraConfig has; the program must know the same keys. */
  @Test
  void thePageSaysOfEveryKnownKeyWhatHappensToIt() throws IOException {
    List<String> listed = new ArrayList<>();
    for (String line : Files.readAllLines(Path.of("..", "docs", "reference", "adapters.md"))) {
      if (line.startsWith("| `")) {
        Matcher keys = Pattern.compile("`(\\w+)`").matcher(line.substring(0, line.indexOf('|', 2)));
        keys.results().forEach(key -> listed.add(key.group(1)));
      }
    }
    assertThat(listed)
        .containsExactlyInAnyOrderElementsOf(PeftConfig.known())
        .containsExactlyInAnyOrder(PEFT_KEYS.split("\\s+"));
  }

  /** The last tensor of the file ends in a NaN. */
  @Test
  void aWeightThatIsNotFiniteIsRefusedWithTensorAndFile() throws IOException {
    Path adapter = copy("llama-r8");
    Path file = adapter.resolve(Checkpoint.ADAPTER);
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 1] = 0x7f;
    bytes[bytes.length - 2] = (byte) 0xff;
    Files.write(file, bytes);

    assertThatThrownBy(() -> open(adapter))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("all numbers must be finite")
        .hasMessageContaining(".lora_")
        .hasMessageContaining(" (adapter_model.safetensors)");
  }

  @Test
  void namesMayCarryTheNameOfTheAdapter() throws IOException {
    Path adapter = copy("llama-r8");
    rename(adapter, name -> name.replace(".weight", ".default.weight"));
    open(adapter);
  }

  /** PEFT writes an adapter on the head with the head's own weights beside it. */
  @Test
  void weightsOfTheModelMayBeRepeatedButNotChanged() throws IOException {
    Path adapter = copy("llama-r8");
    String name = "model.layers.0.self_attn.q_proj.weight";
    String stored = "base_model.model." + name.replace(".weight", ".base_layer.weight");
    try (LoadedModel base = ModelReader.open(ModelFolders.fixture("models/llama"));
        TensorScope scope = TensorScope.open()) {
      Tensor weight = scope.disown(Tensors.empty(ElementType.F32, 64, 64));
      base.checkpoint().copyTo(name, weight);
      rewrite(adapter, UnaryOperator.identity(), Map.of(stored, weight));
      open(adapter);
      weight.mul_(Tensors.scalar(2));
      rewrite(adapter, UnaryOperator.identity(), Map.of(stored, weight));
    }
    assertThatThrownBy(() -> open(adapter))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(stored + " differs from " + name + " of the model in");
  }

  @Test
  void everyWeightThatDoesNotMatchIsListed() throws IOException {
    Path adapter = copy("llama-r8");
    rename(adapter, name -> name.replace("layers.1", "layers.7"));
    assertThatThrownBy(() -> open(adapter))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("4 missing (base_model.model.model.layers.1")
        .hasMessageContaining("4 unexpected (base_model.model.model.layers.7")
        .hasMessageContaining("and of the model in");
  }

  @Test
  void lengthsOfDoraAreExpectedWhereTheConfigSaysSoAndMayHaveOlderNames() throws IOException {
    Path adapter = copy("llama-r8");
    edit(adapter, json -> json.put("use_dora", true));
    assertThatThrownBy(() -> open(adapter))
        .hasMessageContaining(
            "4 missing (base_model.model.model.layers.0.self_attn.q_proj.lora_mag");
    Path named = copy("llama-dora");
    rename(named, name -> name.replace("magnitude_vector", "magnitude_vector.default.weight"));
    try (LoadedModel base = ModelReader.open(ModelFolders.fixture("models/llama"));
        PeftAdapter read = PeftAdapter.open("adapter", named, base)) {
      assertThat(read.model().trained().all()).hasSize(3 * 6);
    }
  }

  @Test
  void aRankThatIsNotTheFilesIsAWrongShape() throws IOException {
    Path adapter = copy("llama-r8");
    edit(adapter, json -> json.put("r", 4));
    assertThatThrownBy(() -> open(adapter))
        .hasMessageContaining("8 wrong shape")
        .hasMessageContaining("file [8, 64], model [4, 64]");
  }

  @Test
  void anAdapterOfAnotherModelIsRefusedInWords() throws IOException {
    Path adapter = copy("gpt2-r4");
    assertThatThrownBy(() -> open(adapter))
        .hasMessageContaining("target_modules must name linear layers of the model but c_attn")
        .hasMessageContaining("the adapter must be of this model");
  }

  @Test
  void absentTargetsArePeftsForTheFamily() throws IOException {
    Path adapter = copy("llama-r8");
    edit(adapter, json -> json.putNull("target_modules"));
    open(adapter);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "peft_type | \"IA3\" | \"peft_type\" \"IA3\" is not supported yet; supported is LORA",
        "task_type | \"SEQ_CLS\" | supported is CAUSAL_LM",
        "bias | \"some\" | \"bias\" \"some\" is not supported yet; supported is none, all, lora_only",
        "layers_to_transform | [0, 1.5] | \"layers_to_transform\" must be a number of a block or a list",
        "layers_to_transform | \"0\" | \"layers_to_transform\" must be a number of a block or a list",
        "layers_to_transform | [7] | layers_to_transform must leave some of the layers that",
        "layers_pattern | \"layers\" | null where layers_to_transform is null, as in PEFT, but was",
        "exclude_modules | [1, {}] | \"exclude_modules\" must be a list of names",
        "exclude_modules | \"(\" | must be a regular expression but ( is none",
        "exclude_modules | [\"q_proj\", \"v_proj\"] | exclude_modules must leave some of the layers",
        "target_parameters | [\"q_proj.weight\"] | must name matrices of experts or routers but q_proj.weight finds model.layers.0.self_attn.q_proj.weight; the model has no experts",
        "trainable_token_indices | [1] | \"trainable_token_indices\" [1] is not supported",
        "lora_bias | true | \"lora_bias\" true is not supported",
        "init_lora_weights | \"pissa\" | the others change the base",
        "r | 0 | \"r\" must be a positive integer but was 0",
        "lora_dropout | 1.5 | \"lora_dropout\" must be a number from 0 and below 1 but was 1.5",
        "rank_pattern | {\"q_proj\": 0} | \"rank_pattern\" must be an object of names and ranks",
        "rank_pattern | {\"(\": 1} | must be a regular expression but ( is none",
        "target_modules | \"(\" | must be a regular expression but ( is none",
        "target_modules | [1, {}] | \"target_modules\" must be a list of names",
        "modules_to_save | [\"lm_head\"] | the head is the embedding table",
      })
  void whatIsNotDoneHereIsRefusedByKeyAndValue(String key, String value, String says)
      throws IOException {
    Path adapter = copy("llama-r8");
    edit(adapter, json -> json.set(key, Json.STRICT.readTree(value)));
    assertThatThrownBy(() -> open(adapter))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("adapter_config.json]")
        .hasMessageContaining(says);
  }

  /** PEFT overlooks a pattern that finds no layer, so its adapters may have one. */
  @Test
  void aPatternThatFindsNoLayerIsOverlookedInAnAdapterAndRefusedInANewOne() throws IOException {
    Path adapter = copy("llama-r8");
    edit(adapter, json -> json.set("rank_pattern", Json.STRICT.readTree("{\"k_proj\": 1}")));
    open(adapter);
    try (LoadedModel base = ModelReader.open(ModelFolders.fixture("models/llama"))) {
      LoraConfig config =
          new LoraConfig(
              2,
              4,
              0,
              false,
              new TargetModules.Named(List.of("q_proj")),
              List.of(),
              Map.of("k_proj", 1),
              Map.of());
      assertThatThrownBy(() -> PeftAdapter.create(config, base, new RandomNumbers(0)))
          .isInstanceOf(DpoException.class)
          .hasMessage(
              "rank_pattern must name layers that target_modules names but k_proj finds none of"
                  + " them");
    }
  }

  @Test
  void aFolderWithoutWeightsOrWithPickledOnesIsRefused() throws IOException {
    Path adapter = copy("llama-r8");
    Files.delete(adapter.resolve(Checkpoint.ADAPTER));
    assertThatThrownBy(() -> open(adapter)).hasMessageContaining("no adapter_model.safetensors");
    Files.createFile(adapter.resolve("adapter_model.bin"));
    assertThatThrownBy(() -> open(adapter)).hasMessageContaining("can run code");
  }

  private static void open(Path adapter) {
    try (LoadedModel base = ModelReader.open(ModelFolders.fixture("models/llama"));
        PeftAdapter read = PeftAdapter.open("adapter", adapter, base)) {
      assertThat(read.model().trained().all()).hasSize(8); // A and B, two targets, two layers
    }
  }

  private Path copy(String name) throws IOException {
    Path copy = Files.createDirectory(folder.resolve(name));
    for (String file : new String[] {PeftAdapter.CONFIG, Checkpoint.ADAPTER}) {
      Files.copy(ModelFolders.fixture("adapters/" + name).resolve(file), copy.resolve(file));
    }
    return copy;
  }

  private static void edit(Path adapter, java.util.function.Consumer<ObjectNode> edit)
      throws IOException {
    ObjectNode json = HuggingFaceConfig.tree(adapter.resolve(PeftAdapter.CONFIG));
    edit.accept(json);
    Files.writeString(adapter.resolve(PeftAdapter.CONFIG), json.toString());
  }

  private static void rename(Path adapter, UnaryOperator<String> rename) throws IOException {
    rewrite(adapter, rename, Map.of());
  }

  private static void rewrite(
      Path adapter, UnaryOperator<String> rename, Map<String, Tensor> further) throws IOException {
    SafetensorsFile file = SafetensorsFile.open(adapter.resolve(Checkpoint.ADAPTER));
    Map<String, Tensor> tensors = new TreeMap<>();
    try (TensorScope scope = TensorScope.open()) {
      for (String name : file.names()) {
        long[] shape = file.entry(name).shape().stream().mapToLong(Long::longValue).toArray();
        Tensor tensor = Tensors.empty(ElementType.F32, shape);
        file.copyTo(name, tensor);
        tensors.put(rename.apply(name), tensor);
      }
      tensors.putAll(further);
      Files.delete(adapter.resolve(Checkpoint.ADAPTER));
      SafetensorsWriter.write(adapter.resolve(Checkpoint.ADAPTER), tensors, ElementType.F32);
    }
  }

  /** Experts have the names of the MLPs of other blocks. */
  @ParameterizedTest
  @CsvSource({"qwen3_moe, true", "granitemoe, false", "llama_default, false"})
  void anAdapterOnAllLinearLayersBesideExpertsIsReadAgain(
      String name, boolean wholePaths, @TempDir Path folder) throws IOException {
    LoraConfig config =
        new LoraConfig(
            2, 4, 0, false, PeftAdapter.targets("all-linear"), List.of(), Map.of(), Map.of());
    Path model = ModelFolders.fixture("families/" + name);
    List<String> paths;
    try (LoadedModel base = ModelReader.open(model);
        RandomNumbers random = new RandomNumbers(0);
        PeftAdapter created = PeftAdapter.create(config, base, random)) {
      paths = paths(created);
      created.write(folder, base, ElementType.F32);
    }
    assertThat(Files.readString(folder.resolve(PeftAdapter.CONFIG)).contains("\"" + paths.get(0)))
        .isEqualTo(wholePaths);
    try (LoadedModel base = ModelReader.open(model);
        PeftAdapter read = PeftAdapter.open("adapter", folder, base)) {
      assertThat(paths(read)).isEqualTo(paths);
    }
  }

  private static List<String> paths(PeftAdapter adapter) {
    return adapter.model().plan().layers().stream().map(AdapterSlot::path).toList();
  }
}
