package org.dpo4j.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.model.lora.LayerChoice;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelFolders;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.ModelWriter;
import org.dpo4j.weights.PeftAdapter;
import org.dpo4j.weights.SafetensorsFile;
import org.dpo4j.weights.StreamedModel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a model that is exported although llama.cpp computes something else, one that is no
 * longer exported, a matrix whose rows or columns are in another order, and an adapter that is lost
 * on the way. {@code LlamaCppTest} runs the files.
 */
class ExportedFamiliesTest {

  /** Of each fixture the architecture, or what that of its family lacks. */
  private static final String TABLE =
      """
      arcee | lacks biases of q, k and v, a bias of attention's output, biases of the MLP's inputs, a bias of the MLP's output
      biogpt | no architecture
      biogpt_untied | no architecture
      codegen | no architecture
      codegen_tied | no architecture
      cohere | lacks a head with weights of its own
      cohere2 | lacks a head with weights of its own
      cohere_switches | lacks a head with weights of its own
      cwm | llama
      ernie4_5 | llama
      exaone4 | lacks windows with this number of layers
      exaone4_no_window | exaone4
      falcon | falcon
      falcon_new | falcon
      falcon_new_one_norm | falcon
      falcon_sequential | lacks norms in these places, biases of q, k and v, a bias of attention's output, biases of the MLP's inputs, a bias of the MLP's output
      gemma | gemma
      gemma2 | lacks this factor of attention's scores, a head with weights of its own
      gemma2_no_caps | lacks biases of q, k and v, a bias of attention's output, this factor of attention's scores, a head with weights of its own
      gemma3 | lacks this factor of attention's scores, windows in these layers
      gemma3_text | lacks this factor of attention's scores
      gemma3_text_original_beside | lacks this factor of attention's scores, windows in these layers
      gemma3_text_switches | lacks the activation silu, biases of q, k and v, a bias of attention's output, this factor of attention's scores, windows in these layers
      gemma_biases | lacks biases of q, k and v, a bias of attention's output, a head with weights of its own
      gemma_gelu_python | lacks a head with weights of its own
      glm | lacks heads with another width than the hidden states together
      glm4 | lacks heads with another width than the hidden states together
      gpt2_by_layer | lacks factors of attention's scores that differ between layers
      gpt2_foreign_keys | gpt2
      gpt2_gelu_fast | gpt2
      gpt2_gelu_python | gpt2
      gpt2_padding | gpt2
      gpt2_quick_gelu | lacks the activation quick_gelu
      gpt2_silu | lacks the activation silu
      gpt2_tanh | lacks the activation tanh
      gpt2_unscaled | lacks this factor of attention's scores
      gpt2_unscaled_by_layer_untied | lacks factors of attention's scores that differ between layers
      gpt_bigcode | starcoder
      gpt_bigcode_heads | lacks this factor of attention's scores
      gpt_neo | no architecture
      gpt_neox | gptneox
      gpt_neox_sequential | gptneox
      gpt_oss | no architecture
      gptj | no architecture
      gptj_whole | no architecture
      granite | granite
      granite_defaults | granite
      granite_swa | no architecture
      granite_swa_types | no architecture
      granitemoe | granitemoe
      granitemoehybrid | granite
      granitemoehybrid_no_positions | lacks layers without rotary positions
      helium | llama
      hunyuan | lacks heads with another width than the hidden states together, biases of q, k and v, a bias of attention's output
      hyperclovax | lacks norms in these places
      hyperclovax_no_post_norm | granite
      idefics3 | llama
      internlm3 | llama
      internvl | qwen3
      iquestcoder | llama
      jais2 | jais2
      jais2_no_biases | lacks the activation relu
      lfm2 | no architecture
      lfm2_attention | no architecture
      lfm2_own_width | no architecture
      lfm2_published | no architecture
      llama_all_heads_gelu | lacks the activation gelu in its exact form
      llama_biases_tied | llama
      llama_default | llama
      llama_layer_types | llama
      llama_dynamic_4 | llama
      llama_linear_4 | llama
      llama_linear_5 | llama
      llama_llama3_4 | llama
      llama_llama3_5 | llama
      llama_llama3_original_outside | llama
      llama_padding_from_the_end | llama
      llama_padding_tied | llama
      llama_yarn_4 | llama
      llama_yarn_all_keys | llama
      llama_yarn_mscale | llama
      llama_yarn_own_context | llama
      llava | lacks heads with another width than the hidden states together
      ministral | llama
      ministral3 | mistral3
      ministral3_default_rope | mistral3
      ministral_types | llama
      mistral3 | mistral3
      mistral3_head_in_file | llama
      mistral_default_heads | llama
      mistral_layer_types | llama
      mistral_no_window | llama
      mistral_padding | llama
      mistral_window_4 | llama
      mistral_window_5 | llama
      mixtral | llama
      nemotron | nemotron
      nemotron_biases | nemotron
      olmo | lacks biases of q, k and v, a bias of attention's output
      olmo2 | olmo2
      olmo2_biases | lacks the activation gelu in its exact form, biases of q, k and v, a bias of attention's output
      olmo3 | olmo2
      olmo3_original_beside | lacks windows in these layers
      olmo3_ropes | lacks windows in these layers
      olmoe | lacks weights of a token's experts with the sum 1, fewer key heads than query heads, biases of q, k and v, a bias of attention's output
      opt | no architecture
      opt_plain | no architecture
      persimmon | no architecture
      persimmon_no_norms | no architecture
      phi | phi2
      phi3 | phi3
      phi3_longrope | phi3
      phi3_longrope_original_inside | phi3
      phi3_padding | phi3
      phi3_window_4 | phi3
      phi_norms | lacks the activation relu, norms of queries and keys, layer norms of queries and keys
      plain_arcee | arcee
      plain_cohere | command-r
      plain_cohere2 | cohere2
      plain_gemma2 | gemma2
      plain_gemma3_text | gemma3
      plain_glm | chatglm
      plain_hunyuan | hunyuan-dense
      plain_olmo | olmo
      plain_olmoe | olmoe
      plain_qwen3_moe | qwen3moe
      qwen2_5_vl | qwen2
      qwen2_layer_types | lacks heads with another width than the hidden states together
      qwen2_moe | qwen2moe
      qwen2_padding | qwen2
      qwen2_unused_window | qwen2
      qwen2_vl | qwen2
      qwen2_vl_flat_tied | qwen2
      qwen2_window_4 | qwen2
      qwen2_yarn_magnitude | qwen2
      qwen3_5 | no architecture
      qwen3_5_moe_text | no architecture
      qwen3_5_text | no architecture
      qwen3_5_text_defaults | no architecture
      qwen3_5_text_epsilon | no architecture
      qwen3_5_text_switches | no architecture
      qwen3_biases | lacks biases of q, k and v, a bias of attention's output
      qwen3_moe | lacks layers without experts
      qwen3_moe_dense | lacks layers without experts
      qwen3_moe_softmax_over_all | lacks layers without experts, weights of a token's experts with a sum below 1, biases of q, k and v, a bias of attention's output
      qwen3_padding | qwen3
      qwen3_vl | lacks biases of q, k and v, a bias of attention's output
      qwen3_window | qwen3
      seed_oss | llama
      seed_oss_biases | llama
      sharded | llama
      smollm3_default_theta | smollm3
      smollm3_interval | lacks layers without rotary positions
      smollm3_padding | smollm3
      smollm3_window | lacks biases of q, k and v, a bias of attention's output, biases of the MLP's inputs, a bias of the MLP's output, layers without rotary positions
      smolvlm | llama
      stablelm | stablelm
      stablelm_parallel | stablelm
      starcoder2 | starcoder2
      starcoder2_no_bias | starcoder2
      vaultgemma | no architecture
      models/gpt2 | gpt2
      models/llama | llama
      models/qwen2 | qwen2
      models/qwen3 | qwen3
      """;

  private static final String NONE = "no architecture";
  private static final String LACKS = "lacks ";

  private final Path folder;

  ExportedFamiliesTest(@TempDir Path folder) {
    this.folder = folder;
  }

  static Map<String, String> table() {
    Map<String, String> table = new LinkedHashMap<>();
    TABLE
        .lines()
        .map(line -> line.split(" \\| ", 2))
        .forEach(columns -> table.put(columns[0].strip(), columns[1]));
    return table;
  }

  /** The fixtures that are exported, and their architectures. */
  static Map<String, String> exported() {
    Map<String, String> exported = table();
    exported.values().removeIf(says -> says.equals(NONE) || says.startsWith(LACKS));
    return exported;
  }

  static Stream<String> names() {
    return table().keySet().stream();
  }

  @Test
  void everyFixtureIsInTheTable() throws IOException {
    assertThat(table().keySet()).containsExactlyInAnyOrderElementsOf(ExportedModels.names());
  }

  @Test
  void everyModelTypeThatIsExportedIsAmongTheFixtures() throws IOException {
    TreeSet<String> types = new TreeSet<>();
    Architectures.modelTypes().forEach(types::add);
    for (String name : exported().keySet()) {
      try (StreamedModel model = StreamedModel.open("model", ExportedModels.copy(name, folder))) {
        types.remove(model.config().text().modelType());
      }
    }
    // The fixtures of these have other widths of heads, no flat form, and biases.
    assertThat(types).containsExactly("glm4", "qwen2_5_vl", "qwen3_vl_text");
  }

  @ParameterizedTest
  @MethodSource("names")
  void aModelIsExportedAndEqualOrRefusedInWords(String name) throws IOException {
    String says = Objects.requireNonNull(table().get(name));
    Path copy = ExportedModels.copy(name, folder);
    try (StreamedModel model = StreamedModel.open("model", copy)) {
      if (says.equals(NONE)) {
        assertThatThrownBy(() -> ExportedModels.described(model, GgufType.F32))
            .isInstanceOf(DpoException.class)
            .hasMessageContaining("config.json] model_type \"")
            .hasMessageContaining("\" has no form in llama.cpp that computes the same; exported");
        return;
      }
      if (says.startsWith(LACKS)) {
        assertThatThrownBy(() -> ExportedModels.described(model, GgufType.F32))
            .isInstanceOf(DpoException.class)
            .hasMessageContaining(
                "cannot compute this model exactly: it does not have %s; use the checkpoint itself",
                says.substring(LACKS.length()));
        return;
      }
      for (GgufType type : GgufType.values()) {
        GgufExport export = ExportedModels.described(model, type);
        assertThat(export.architecture()).isEqualTo(says);
        Path file = folder.resolve(type + ".gguf");
        ExportedModels.write(export, file);
        export.verify(file);
        GgufFile written = GgufFile.open(file);
        assertThat(written.metadata().values()).containsEntry("general.architecture", says);
        assertThat(written.entries()).hasSize(export.tensorCount());
      }
    }
  }

  /** Rows of 16 and 20 elements are no blocks of 32: those matrices are in fp16. */
  @Test
  void matricesHaveTheTypeAndVectorsFp32() throws IOException {
    Path copy = ExportedModels.copy("models/llama", folder);
    for (GgufType type : GgufType.values()) {
      Path file = ExportedModels.export(copy, type, folder.resolve(type + ".gguf"));
      GgufFile.open(file)
          .entries()
          .forEach(
              (name, entry) ->
                  assertThat(entry.type())
                      .as(name)
                      .isEqualTo(entry.shape().size() == 1 ? GgufType.F32 : type));
    }
    Path narrow = ExportedModels.copy("llama_default", folder);
    Path file = ExportedModels.export(narrow, GgufType.Q8_0, folder.resolve("narrow.gguf"));
    assertThat(GgufFile.open(file).entries().values())
        .allMatch(
            entry ->
                entry.type()
                    == (entry.shape().size() == 1
                        ? GgufType.F32
                        : entry.shape().get(1) == 32 ? GgufType.Q8_0 : GgufType.F16));
  }

  // --- the order of rows
  // ----------------------------------------------------------------------

  /** Channels that are rotated together are neighbours in the architecture llama. */
  @Test
  void rowsOfQueriesAndKeysAreInterleavedForLlama() throws IOException {
    Path copy = ExportedModels.copy("models/llama", folder);
    Path file = ExportedModels.export(copy, GgufType.F32, folder.resolve("llama.gguf"));
    try (TensorScope scope = TensorScope.open()) {
      Map<String, Tensor> written = ExportedModels.tensors(file);
      String layer = "model.layers.1.self_attn.";
      int width = 16; // 4 heads, hidden size 64
      IntUnaryOperator order = row -> row / width * width + row % width / 2 + row % 2 * (width / 2);
      requireRows(written, "blk.1.attn_q.weight", copy, layer + "q_proj.weight", order);
      requireRows(written, "blk.1.attn_k.weight", copy, layer + "k_proj.weight", order);
      requireRows(written, "blk.1.attn_v.weight", copy, layer + "v_proj.weight", row -> row);
    }
  }

  @Test
  void rowsStayForArchitecturesThatRotateHalves() throws IOException {
    Path copy = ExportedModels.copy("models/qwen3", folder);
    Path file = ExportedModels.export(copy, GgufType.F32, folder.resolve("qwen3.gguf"));
    try (TensorScope scope = TensorScope.open()) {
      Map<String, Tensor> written = ExportedModels.tensors(file);
      String layer = "model.layers.0.self_attn.";
      requireRows(written, "blk.0.attn_q.weight", copy, layer + "q_proj.weight", row -> row);
      requireRows(written, "blk.0.attn_k.weight", copy, layer + "k_proj.weight", row -> row);
    }
  }

  @Test
  void matricesOfGpt2AreTurned() throws IOException {
    Path copy = ExportedModels.copy("models/gpt2", folder);
    Path file = ExportedModels.export(copy, GgufType.F32, folder.resolve("gpt2.gguf"));
    try (TensorScope scope = TensorScope.open()) {
      Map<String, Tensor> written = ExportedModels.tensors(file);
      Map<String, String> names =
          Map.of(
              "attn_qkv", "attn.c_attn",
              "attn_output", "attn.c_proj",
              "ffn_up", "mlp.c_fc",
              "ffn_down", "mlp.c_proj");
      names.forEach(
          (name, stored) -> {
            Tensor source = source(copy, "h.0." + stored + ".weight");
            Tensor found = Objects.requireNonNull(written.get("blk.0." + name + ".weight"));
            assertThat(found.shape()).isEqualTo(source.t().shape());
            assertThat(found.equal(source.t())).as(name).isTrue();
          });
    }
  }

  /** Falcon stores, for each key head, its query heads, the key head and the value head. */
  @Test
  void queriesKeysAndValuesThatAreJoinedByHeadAreTakenApart() throws IOException {
    Path copy = ExportedModels.copy("falcon_new", folder);
    Path file = ExportedModels.export(copy, GgufType.F32, folder.resolve("falcon.gguf"));
    int heads = 4;
    int keyHeads = 2;
    int width = 4;
    int group = heads / keyHeads + 2;
    int[] order =
        IntStream.range(0, (heads + 2 * keyHeads) * width)
            .map(
                row -> {
                  int head = row / width;
                  int place =
                      head < heads
                          ? head / 2 * group + head % 2
                          : head < heads + keyHeads
                              ? (head - heads) * group + 2
                              : (head - heads - keyHeads) * group + 3;
                  return place * width + row % width;
                })
            .toArray();
    try (TensorScope scope = TensorScope.open()) {
      requireRows(
          ExportedModels.tensors(file),
          "blk.1.attn_qkv.weight",
          copy,
          "transformer.h.1.self_attention.query_key_value.weight",
          row -> order[row]);
    }
  }

  private static void requireRows(
      Map<String, Tensor> written, String name, Path copy, String weight, IntUnaryOperator order) {
    Tensor source = source(copy, weight);
    Tensor found = Objects.requireNonNull(written.get(name));
    assertThat(found.shape()).isEqualTo(source.shape());
    for (int row = 0; row < found.size(0); row++) {
      int from = order.applyAsInt(row);
      assertThat(
              Tensors.rows(found, 0, row, row + 1).equal(Tensors.rows(source, 0, from, from + 1)))
          .as("row %d of %s is row %d of %s", row, name, from, weight)
          .isTrue();
    }
  }

  private static Tensor source(Path folder, String weight) {
    SafetensorsFile file = SafetensorsFile.open(folder.resolve("model.safetensors"));
    String name =
        file.names().stream().filter(stored -> stored.endsWith(weight)).findFirst().orElseThrow();
    long[] shape = file.entry(name).shape().stream().mapToLong(Long::longValue).toArray();
    Tensor tensor = Tensors.empty(ElementType.F32, shape);
    file.copyTo(name, tensor);
    return tensor;
  }

  // --- adapters
  // ------------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource({
    "llama-r8, llama",
    "gpt2-r4, gpt2",
    "gpt2-bias, gpt2",
    "gpt2-bias-only, gpt2",
    "llama-dora, llama",
    "gpt2-dora, gpt2",
  })
  void anAdapterOfPeftIsMergedOnTheWay(String adapter, String model) throws IOException {
    requireMerged(
        ExportedModels.copy("models/" + model, folder),
        ModelFolders.fixture("adapters/" + adapter));
  }

  /** The experts are one by one in the first two files and joined in the last. */
  @ParameterizedTest
  @CsvSource({
    "all_linear, plain_qwen3_moe",
    "one_of_two, qwen2_moe",
    "joined, granitemoe",
    "routers, granitemoe",
  })
  void anAdapterOfPeftOnExpertsIsMergedOnTheWay(String adapter, String model) throws IOException {
    requireMerged(
        ExportedModels.copy(model, folder), ModelFolders.fixture("adapters/experts/" + adapter));
  }

  @ParameterizedTest
  @CsvSource({
    "models/llama, false, false, ",
    "llama_default, true, false, embed_tokens",
    "models/gpt2, true, false, ",
    "models/qwen2, false, true, ",
    "falcon, false, false, ",
    "falcon_new, true, true, ",
    "gpt_neox, false, false, lm_head",
    "phi3, true, false, lm_head",
    "plain_glm, false, true, ",
    "llama_biases_tied, false, false, mlp.down_proj",
    "qwen2_moe, false, false, lm_head",
    "starcoder2, true, false, ",
  })
  void anAdapterOnAllLayersIsMergedOnTheWay(
      String model, boolean rsLora, boolean dora, String saved) throws IOException {
    Path copy = ExportedModels.copy(model, folder);
    List<String> modules = saved == null ? List.of() : List.of(saved);
    requireMerged(copy, adapter(copy, config(rsLora, dora, modules)));
  }

  private static LoraConfig config(boolean rsLora, boolean dora, List<String> saved) {
    return new LoraConfig(
        3,
        5,
        0,
        rsLora,
        dora,
        new LayerChoice(new TargetModules.AllLinear()),
        LoraConfig.Bias.NONE,
        saved,
        Map.of(),
        Map.of(),
        false);
  }

  /** An adapter that changes all its layers. */
  private Path adapter(Path model, LoraConfig config) throws IOException {
    Path adapter = Files.createDirectory(folder.resolve("adapter"));
    RandomNumbers random = new RandomNumbers(7);
    try (LoadedModel base = ModelReader.open(model);
        PeftAdapter created = PeftAdapter.create(config, base, random);
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Random numbers = new Random(7);
      created
          .model()
          .trained()
          .all()
          .forEach(
              parameter -> {
                double[] noise = numbers.doubles(parameter.tensor().numel(), -0.1, 0.1).toArray();
                parameter
                    .tensor()
                    .add_(
                        Tensors.doubles(noise)
                            .view(parameter.tensor().shape())
                            .to(ElementType.F32.scalarType()));
              });
      created.write(adapter, base, ElementType.F32);
    }
    return adapter;
  }

  /** Against the export of the checkpoint that {@code merge} writes, in fp32. */
  private void requireMerged(Path model, Path adapter) throws IOException {
    Path merged = folder.resolve("merged");
    try (LoadedModel base = ModelReader.open(model);
        PeftAdapter opened = PeftAdapter.open("adapter", adapter, base)) {
      Files.createDirectory(merged);
      new ModelWriter().write(merged, base, opened.model(), ElementType.F32);
    }
    for (String file : List.of("tokenizer.json", "tokenizer_config.json")) {
      if (!Files.exists(merged.resolve(file))) {
        Files.copy(model.resolve(file), merged.resolve(file));
      }
    }
    Path expected = ExportedModels.export(merged, GgufType.F32, folder.resolve("merged.gguf"));
    Path onTheWay = folder.resolve("streamed.gguf");
    Path plain = ExportedModels.export(model, GgufType.F32, folder.resolve("plain.gguf"));
    try (StreamedModel streamed = StreamedModel.open("model", model)) {
      streamed.adapt("adapter", adapter);
      GgufExport export = ExportedModels.described(streamed, GgufType.F32);
      ExportedModels.write(export, onTheWay);
      export.verify(onTheWay);
    }
    try (TensorScope scope = TensorScope.open()) {
      Map<String, Tensor> tensors = ExportedModels.tensors(onTheWay);
      requireClose(tensors, ExportedModels.tensors(expected));
      Map<String, Tensor> without = ExportedModels.tensors(plain);
      // The head that is tied in the model can have weights of its own after training only.
      assertThat(without.keySet()).isSubsetOf(tensors.keySet());
      assertThat(without.keySet())
          .anyMatch(name -> !Objects.requireNonNull(tensors.get(name)).equal(without.get(name)));
    }
  }

  private static void requireClose(Map<String, Tensor> found, Map<String, Tensor> expected) {
    assertThat(found.keySet()).containsExactlyElementsOf(expected.keySet());
    expected.forEach(
        (name, tensor) -> {
          double[] theirs = Tensors.toDoubles(tensor);
          double[] ours = Tensors.toDoubles(Objects.requireNonNull(found.get(name)));
          // Some roundings of numbers as large as the largest.
          double close = 1e-6 * Arrays.stream(theirs).map(Math::abs).max().orElse(0);
          for (int i = 0; i < theirs.length; i++) {
            assertThat(Math.abs(ours[i] - theirs[i]))
                .as("element %d of %s", i, name)
                .isLessThanOrEqualTo(close);
          }
        });
  }

  /** llama.cpp computes W x + alpha / rank B (A x), with one A for a matrix of several layers. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "models/llama",
        "models/gpt2",
        "models/qwen2",
        "falcon_new",
        "gpt_neox",
        "phi3",
        "plain_glm",
        "starcoder2",
        "llama_biases_tied",
      })
  void anAdapterAloneMakesTheMergedMatrices(String name) throws IOException {
    Path model = ExportedModels.copy(name, folder);
    Path adapter =
        adapter(
            model,
            new LoraConfig(
                3,
                5,
                0,
                true,
                new TargetModules.AllLinear(),
                List.of(),
                Map.of("o_proj|c_proj|dense", 2),
                Map.of("down_proj|c_fc|dense_h_to_4h", 1.5)));
    Path base = ExportedModels.export(model, GgufType.F32, folder.resolve("base.gguf"));
    Path merged = folder.resolve("merged.gguf");
    Path alone = folder.resolve("adapter.gguf");
    try (StreamedModel streamed = StreamedModel.open("model", model)) {
      streamed.adapt("adapter", adapter);
      ExportedModels.write(ExportedModels.described(streamed, GgufType.F32), merged);
      GgufExport export = GgufExport.ofAdapter("adapter", streamed);
      ExportedModels.write(export, alone);
      export.verify(alone);
    }
    assertThat(GgufFile.open(alone).metadata().values())
        .containsEntry("general.type", "adapter")
        .containsEntry("adapter.type", "lora")
        .containsEntry("adapter.lora.alpha", 1f);
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Map<String, Tensor> pairs = ExportedModels.tensors(alone);
      Map<String, Tensor> expected = ExportedModels.tensors(merged);
      Map<String, Tensor> found = new HashMap<>(ExportedModels.tensors(base));
      int count = 0;
      for (String a : pairs.keySet()) {
        if (a.endsWith(".lora_a")) {
          String matrix = a.substring(0, a.length() - ".lora_a".length());
          Tensor first = Objects.requireNonNull(pairs.get(a));
          Tensor second = Objects.requireNonNull(pairs.get(matrix + ".lora_b"));
          double scale = 1.0 / first.size(0);
          found.computeIfPresent(
              matrix, (key, own) -> own.add(second.matmul(first).mul(Tensors.scalar(scale))));
          count++;
        }
      }
      assertThat(pairs).hasSize(2 * count);
      requireClose(new TreeMap<>(found), expected);
      assertThat(count).isGreaterThanOrEqualTo(8);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"dora", "bias", "saved", "table", "head_alone", "experts", "routers"})
  void anAdapterThatIsMoreThanPairsIsRefusedAlone(String what) throws IOException {
    Path model =
        ExportedModels.copy(
            switch (what) {
              case "saved", "table" -> "llama_default";
              case "head_alone" -> "llama_padding_tied";
              case "experts" -> "qwen2_moe";
              case "routers" -> "granitemoe";
              default -> "models/llama";
            },
            folder);
    Path adapter =
        switch (what) {
          case "saved" -> adapter(model, config(false, false, List.of("embed_tokens")));
          case "experts" -> ModelFolders.fixture("adapters/experts/one_of_two");
          case "routers" -> ModelFolders.fixture("adapters/experts/routers");
          case "table", "head_alone" -> ModelFolders.fixture("adapters/embeddings/" + what);
          default ->
              ModelFolders.fixture(
                  "adapters/" + (what.equals("dora") ? "llama-dora" : "gpt2-bias"));
        };
    Path own = what.equals("bias") ? ExportedModels.copy("models/gpt2", folder) : model;
    try (StreamedModel streamed = StreamedModel.open("model", own)) {
      streamed.adapt("adapter", adapter);
      assertThatThrownBy(() -> GgufExport.ofAdapter("adapter", streamed))
          .isInstanceOf(DpoException.class)
          .hasMessage(
              "the adapter has more than pairs of matrices of linear layers (DoRA, the embedding"
                  + " table and a head tied to it, experts and routers, biases or modules trained in full), for which GGUF has no form; "
                  + (what.equals("head_alone")
                      ? "it cannot be merged either, since it changes table and head apart; train one with ensure_weight_tying"
                      : "leave adapter_only out, which merges it"));
    }
  }
}
