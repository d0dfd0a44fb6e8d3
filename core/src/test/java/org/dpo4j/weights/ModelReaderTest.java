package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.StreamSupport;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.FlatAttention;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Against models that load but are not what the checkpoint says, and loads that leak. */
class ModelReaderTest {

  private final Path temp;

  ModelReaderTest(@TempDir Path temp) {
    this.temp = temp;
  }

  /** Of one sequence, shape (tokens, vocab). */
  static Tensor logits(CausalLm model, long[] ids) {
    FlatSequences sequence = FlatSequences.of(LongStream.of(ids).mapToInt(i -> (int) i).toArray());
    Tensor like = model.parameters().all().get(0).tensor();
    return model.logits(
        model.hiddenStates(
            Tensors.longs(ids),
            Tensors.longs(sequence.positions()),
            new FlatAttention(sequence, like, model.windows())));
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama", "qwen2", "qwen3"})
  void logitsAgreeWithTransformers(String name) {
    Path folder = ModelFolders.fixture("models/" + name);
    SafetensorsFile file = SafetensorsFile.open(folder.resolve("expected_logits.safetensors"));
    try (LoadedModel loaded = ModelReader.open(folder);
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor ids = Tensors.empty(ElementType.I64, 1, 24);
      Tensor expected = Tensors.empty(ElementType.F32, 1, 24, 4096);
      file.copyTo("input_ids", ids);
      file.copyTo("logits", expected);
      double[] found = Tensors.toDoubles(logits(loaded.model(), Tensors.toLongs(ids)));
      assertThat(worst(found, Tensors.toDoubles(expected))).isLessThan(1e-4);
    }
  }

  /** The largest |x - y| / max(1, |y|). */
  private static double worst(double[] found, double[] expected) {
    assertThat(found).hasSameSizeAs(expected);
    return IntStream.range(0, found.length)
        .mapToDouble(i -> Math.abs(found[i] - expected[i]) / Math.max(1, Math.abs(expected[i])))
        .max()
        .orElseThrow();
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama", "qwen2", "qwen3"})
  void completionLogProbabilitiesAgreeWithTransformers(String name) {
    Path folder = ModelFolders.fixture("models/" + name);
    JsonNode rows = HuggingFaceConfig.tree(folder.resolve("expected_logps.json")).get("rows");
    assertThat(rows.size()).isPositive();
    try (LoadedModel loaded = ModelReader.open(folder);
        NoGrad noGrad = NoGrad.open()) {
      for (JsonNode row : rows) {
        for (String side : new String[] {"chosen", "rejected"}) {
          double expected = row.get(side + "_logp").doubleValue();
          double found =
              logProb(loaded.model(), longs(row.get("prompt_ids")), longs(row.get(side + "_ids")));
          assertThat(found).usingComparator(relative(2e-5)).isEqualTo(expected);
        }
      }
    }
  }

  private static long[] longs(JsonNode ids) {
    return StreamSupport.stream(ids.spliterator(), false).mapToLong(JsonNode::longValue).toArray();
  }

  private static double logProb(CausalLm model, long[] prompt, long[] completion) {
    long[] ids =
        LongStream.concat(java.util.Arrays.stream(prompt), java.util.Arrays.stream(completion))
            .toArray();
    try (TensorScope scope = TensorScope.open()) {
      Tensor rows =
          Tensors.rows(logits(model, ids), 0, prompt.length - 1L, ids.length - 1L).log_softmax(-1);
      return Tensors.toDoubles(rows.gather(1, Tensors.longs(completion).unsqueeze(1)).sum())[0];
    }
  }

  /** Each activation's logits come from transformers; gelu and gelu_new differ by 1e-4. */
  @ParameterizedTest
  @ValueSource(strings = {"gelu_new", "gelu_pytorch_tanh", "gelu", "relu"})
  void eachActivationOfGpt2AgreesWithTransformers(String activation) throws IOException {
    Path folder = ModelFolders.copy("gpt2", temp.resolve("gpt2"));
    ModelFolders.setConfig(folder, "activation_function", '"' + activation + '"');
    JsonNode fixture =
        HuggingFaceConfig.tree(ModelFolders.fixture("weights/gpt2_activations.json"));
    JsonNode expected = fixture.get("logits").get(activation);
    try (LoadedModel loaded = ModelReader.open(folder);
        TensorScope scope = TensorScope.open()) {
      double[] found =
          Tensors.toDoubles(logits(loaded.model(), longs(fixture.get("input_ids"))).select(0, -1));
      for (int i = 0; i < expected.size(); i++) {
        assertThat(found[i])
            .usingComparator(relative(1e-5))
            .isEqualTo(expected.get(i).doubleValue());
      }
    }
  }

  @Test
  void aCopyHasTheSameWeightsInMemoryOfItsOwn() {
    try (LoadedModel loaded = ModelReader.open(ModelFolders.fixture("models/gpt2"));
        CausalLm copy = loaded.model().copy();
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      long[] ids = {5, 6, 7};
      double[] before = Tensors.toDoubles(logits(loaded.model(), ids));
      assertThat(Tensors.toDoubles(logits(copy, ids))).isEqualTo(before);
      copy.parameters().all().forEach(p -> p.tensor().zero_());
      assertThat(Tensors.toDoubles(logits(loaded.model(), ids))).isEqualTo(before);
    }
  }

  @Test
  void everyWeightOfGpt2GetsAGradient() {
    try (LoadedModel loaded = ModelReader.open(ModelFolders.fixture("models/gpt2"));
        TensorScope scope = TensorScope.open()) {
      loaded.model().parameters().requireGradients(true);
      logits(loaded.model(), new long[] {5, 6, 7}).log_softmax(-1).select(1, 9).sum().backward();
      assertThat(loaded.model().parameters().all())
          .hasSize(28)
          .allSatisfy(
              p -> assertThat(Tensors.toDoubles(p.tensor().grad().abs().sum())[0]).isPositive());
    }
  }

  @Test
  void weightsOfFewerBitsAreReadAndTheFoldersTypeIsKnown() throws IOException {
    Path folder = temp.resolve("bf16");
    try (LoadedModel loaded = ModelReader.open(ModelFolders.fixture("models/llama"))) {
      new ModelWriter().write(folder, loaded, loaded.model(), ElementType.BF16);
      try (LoadedModel rounded = ModelReader.open(folder);
          TensorScope scope = TensorScope.open()) {
        assertThat(rounded.checkpoint().dtype()).isEqualTo(ElementType.BF16);
        assertThat(rounded.config().dtype()).contains(ElementType.BF16);
        Tensor before = loaded.model().parameters().all().get(0).tensor();
        Tensor after = rounded.model().parameters().all().get(0).tensor();
        assertThat(Tensors.toFloats(after))
            .isEqualTo(Tensors.toFloats(before.to(ElementType.BF16.scalarType())))
            .isNotEqualTo(Tensors.toFloats(before));
      }
    }
  }

  @Test
  void allProblemsAreListedAtOnce() throws IOException {
    Path folder = ModelFolders.copy("gpt2", temp.resolve("gpt2"));
    ModelFolders.editWeights(
        folder,
        tensors -> {
          tensors.remove("transformer.h.0.ln_1.weight");
          tensors.remove("transformer.h.1.mlp.c_fc.bias");
          tensors.put("score.weight", Tensors.floats(1));
          tensors.put("transformer.wpe.weight", Tensors.zeros(ElementType.F32, 511, 64));
        });
    assertThatThrownBy(() -> ModelReader.open(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith(
            "["
                + folder
                + "] weights: 2 missing (transformer.h.0.ln_1.weight,"
                + " transformer.h.1.mlp.c_fc.bias), 1 unexpected (score.weight), 1 wrong shape"
                + " (transformer.wpe.weight: file [511, 64], model [512, 64])");
  }

  @Test
  void weightsThatAreIntegersAreRefused() throws IOException {
    Path folder = ModelFolders.copy("llama", temp.resolve("llama"));
    Path weights = folder.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    String text = new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1);
    String name = "\"model.norm.weight\":{\"dtype\":\"";
    int at = text.indexOf(name) + name.length();
    bytes[at] = 'I'; // F32 becomes I32: the same size
    Files.write(weights, bytes);
    assertThatThrownBy(() -> ModelReader.open(folder))
        .hasMessageContaining("1 wrong type (model.norm.weight: file I32, model floating point)");
  }

  @Test
  void aFailedLoadFreesWhatItTook() throws IOException {
    Path folder = ModelFolders.copy("llama", temp.resolve("llama"));
    ModelFolders.editWeights(folder, tensors -> tensors.remove("model.norm.weight"));
    assertThatThrownBy(() -> ModelReader.open(folder)).hasMessageContaining("1 missing");
    long before = TensorScope.liveHandles();
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> ModelReader.open(folder)).hasMessageContaining("1 missing");
    }
    assertThat(TensorScope.liveHandles()).isEqualTo(before);
  }

  @Test
  void aClosedModelLeavesNothingBehind() {
    Path folder = ModelFolders.fixture("models/gpt2");
    ModelReader.open(folder).close();
    long before = TensorScope.liveHandles();
    ModelReader.open(folder).close();
    assertThat(TensorScope.liveHandles()).isEqualTo(before);
  }

  /** Sizes that would need far more memory than any machine has, and more blocks than would end. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          gpt2  | n_layer           | 2000000000 | must be at most 10000
          gpt2  | n_layer           | 10000      | at least 1000 missing
          gpt2  | n_embd            | 536870908  | must be at most 4194304 but was 536870908
          gpt2  | n_embd            | 1048576    | 28 wrong shape (transformer.wte.weight: file [4096, 64], model [4096, 1048576],
          gpt2  | n_positions       | 2147483647 | 1 wrong shape (transformer.wpe.weight: file [512, 64], model [2147483647, 64])
          llama | num_hidden_layers | 2000000000 | must be at most 10000
          llama | num_hidden_layers | 10000      | at least 1000 missing
          llama | vocab_size        | 2147483647 | must be at most 4194304
          llama | vocab_size        | 4194304    | 1 wrong shape (model.embed_tokens.weight: file [4096, 64], model [4194304, 64])
          llama | intermediate_size | 2147483647 | must be at most 4194304
          llama | intermediate_size | 4194304    | 6 wrong shape
          """)
  void aConfigThatLiesAboutSizesTakesNoMemory(
      String model, String key, String value, String message) throws IOException {
    Path folder = ModelFolders.copy(model, temp.resolve("model"));
    ModelFolders.setConfig(folder, key, value);
    assertThatThrownBy(() -> ModelReader.open(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(message);
  }

  @Test
  void gpt2NamesMayLackThePrefixAndOldBuffersAreNoWeights() throws IOException {
    Path folder = ModelFolders.copy("gpt2", temp.resolve("gpt2"));
    ModelFolders.rename(folder, (names, name) -> names.add(name.replace("transformer.", "")));
    ModelFolders.editWeights(
        folder,
        tensors -> {
          tensors.put("h.0.attn.bias", Tensors.zeros(ElementType.F32, 1, 1, 4, 4));
          tensors.put("h.1.attn.masked_bias", Tensors.floats(-10000));
        });
    long[] ids = {9, 8, 7};
    try (LoadedModel bare = ModelReader.open(folder);
        LoadedModel full = ModelReader.open(ModelFolders.fixture("models/gpt2"));
        TensorScope scope = TensorScope.open()) {
      assertThat(Tensors.toDoubles(logits(bare.model(), ids)))
          .isEqualTo(Tensors.toDoubles(logits(full.model(), ids)));
      assertThat(bare.names().inFile())
          .containsEntry("transformer.h.0.ln_1.weight", "h.0.ln_1.weight");
    }
  }

  @Test
  void aWeightUnderBothNamesIsUnexpected() throws IOException {
    Path folder = ModelFolders.copy("gpt2", temp.resolve("gpt2"));
    ModelFolders.editWeights(folder, t -> t.put("ln_f.weight", t.get("transformer.ln_f.weight")));
    assertThatThrownBy(() -> ModelReader.open(folder))
        .hasMessageContaining("weights: 1 unexpected (ln_f.weight)");
  }

  @Test
  void aTiedHeadMayBeStoredIfItIsTheEmbedding() throws IOException {
    Path folder = ModelFolders.copy("llama", temp.resolve("llama"));
    ModelFolders.editWeights(
        folder, t -> t.put("lm_head.weight", t.get("model.embed_tokens.weight")));
    try (LoadedModel loaded = ModelReader.open(folder)) {
      assertThat(loaded.names().copies())
          .isEqualTo(Map.of("lm_head.weight", "model.embed_tokens.weight"));
    }
    ModelFolders.editWeights(
        folder,
        t -> t.put("lm_head.weight", ModelFolders.get(t, "lm_head.weight").add(Tensors.scalar(1))));
    assertThatThrownBy(() -> ModelReader.open(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("lm_head.weight differs from model.embed_tokens.weight")
        .hasMessageContaining("tie_word_embeddings");
  }

  @Test
  void aHeadOfItsOwnIsUsed() throws IOException {
    Path folder = ModelFolders.copy("gpt2", temp.resolve("gpt2"));
    ModelFolders.setConfig(folder, "tie_word_embeddings", "false");
    assertThatThrownBy(() -> ModelReader.open(folder))
        .hasMessageContaining("1 missing (lm_head.weight)")
        .hasMessageContaining("set tie_word_embeddings to true");
    ModelFolders.editWeights(
        folder,
        t ->
            t.put(
                "lm_head.weight",
                ModelFolders.get(t, "transformer.wte.weight").mul(Tensors.scalar(2))));
    long[] ids = {9, 8, 7};
    try (LoadedModel own = ModelReader.open(folder);
        LoadedModel tied = ModelReader.open(ModelFolders.fixture("models/gpt2"));
        TensorScope scope = TensorScope.open()) {
      double[] single = Tensors.toDoubles(logits(tied.model(), ids));
      double[] doubled = Tensors.toDoubles(logits(own.model(), ids));
      for (int i = 0; i < single.length; i++) {
        assertThat(doubled[i]).usingComparator(relative(1e-5)).isEqualTo(2 * single[i]);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      textBlock =
          """
          llama | model_type                | 'mamba'   | model_type 'mamba' is not supported: it has recurrent layers, as Mamba; docs/reference/models.md lists the
          llama | model_type                | 'bloom'   | model_type 'bloom' is not supported: its positions are biases of the attention scores (ALiBi); docs
          llama | model_type                | 't5'      | model_type 't5' is not supported: it is an encoder-decoder
          llama | model_type                | 'lama'    | model_type 'lama' is not supported; the nearest that is supported is llama; docs/reference/models.md lists the
          llama | model_type                | 'qwen_3'  | the nearest that is supported is qwen3;
          llama | model_type                | 'own'     | model_type 'own' is not supported; docs/reference/models.md lists the
          llama | model_type                | null      | 'model_type' must be a string but was null
          llama | hidden_size               | '64'      | 'hidden_size' must be a positive integer but was '64'
          llama | hidden_size               | 64.0      | 'hidden_size' must be a positive integer but was 64.0
          llama | hidden_size               | 0         | 'hidden_size' must be a positive integer but was 0
          llama | hidden_size               | null      | 'hidden_size' must be a positive integer but was null
          llama | num_key_value_heads       | 3         | num_attention_heads must be a multiple of num_key_value_heads (3) but was 4
          llama | head_dim                  | 15        | head_dim must be even but was 15
          llama | head_dim                  | 1073741824| 'head_dim' must be at most 4194304
          llama | head_dim                  | 4194304   | 'num_attention_heads' must be smaller
          llama | hidden_act                | 'mish'   | 'hidden_act' 'mish' is not supported yet; supported is gelu,
          llama | tie_word_embeddings       | 'yes'     | 'tie_word_embeddings' must be true or false but was 'yes'
          llama | rms_norm_eps              | -1        | 'rms_norm_eps' must be a positive number but was -1
          llama | quantization_config       | {'bits':4}| 'quantization_config'
          llama | rope_scaling              | {'type':'linear'}            | 'rope_scaling.factor' must be a positive number but is missing
          llama | rope_scaling              | {'type':'dynamic','factor':0}| 'rope_scaling.factor' must be a positive number but was 0
          llama | rope_scaling              | {'type':'su'}                | 'rope_scaling.type' 'su' is not supported yet; supported is default, linear, dynamic, llama3, yarn, longrope
          llama | rope_parameters           | {'rope_type':'longrope'}     | 'rope_parameters.short_factor' must be a list of numbers but is missing
          llama | rope_parameters           | {'rope_type':'longrope','short_factor':[1]} | 'rope_parameters.short_factor' must be of 8 numbers, one for two channels
          llama | rope_parameters           | {'rope_type':'proportional'} | 'rope_parameters.rope_type' 'proportional' is not supported yet
          llama | rope_parameters           | {'rope_type':'llama3'}       | 'rope_parameters.low_freq_factor' must be a positive number but is missing
          llama | rope_parameters           | {'rope_type':'llama3','factor':8,'low_freq_factor':4,'high_freq_factor':4} | 'rope_parameters.high_freq_factor' must be above low_freq_factor (4.0) but was 4
          llama | rope_parameters           | {'rope_type':'yarn'}         | 'rope_parameters.factor' must be a positive number but is missing
          llama | rope_parameters           | {'rope_type':'default','mrope_section':[2,3,3]} | 'rope_parameters.mrope_section' [2,3,3] is not supported yet
          llama | rope_parameters           | {'full_attention':{'rope_theta':5}} | 'rope_parameters.full_attention' {'rope_theta':5} is not supported yet
          llama | rope_parameters           | {'partial_rotary_factor':0.5} | 'rope_parameters.partial_rotary_factor' 0.5 is not supported yet; supported is 1
          llama | num_hidden_layers         | 10001     | 'num_hidden_layers' must be at most 10000 but was 10001
          llama | num_local_experts         | 8         | 'num_local_experts' 8 is not supported yet
          llama | attn_logit_softcapping    | 50.0      | 'attn_logit_softcapping' 50.0 is not supported yet
          qwen2 | layer_types               | ['full_attention'] | 'layer_types' must be of num_hidden_layers (2) entries
          qwen2 | layer_types               | ['full_attention','chunked_attention'] | 'layer_types' ['full_attention','chunked_attention'] is not supported yet; supported is full_attention, sliding_attention
          qwen2 | layer_types               | ['full_attention','sliding_attention'] | 'sliding_window' must be given and used
          qwen2 | layer_types               | 'full_attention' | 'layer_types' must be a list of strings
          qwen2 | num_attention_heads       | 3         | 'hidden_size' must be a multiple of num_attention_heads (3)
          qwen2 | use_mrope                 | true      | 'use_mrope' true is not supported yet
          qwen2 | model_type                | 'llama'   | 6 unexpected (model.layers.0.self_attn.k_proj.bias
          qwen3 | model_type                | 'llama'   | 4 unexpected (model.layers.0.self_attn.k_norm.weight
          qwen3 | model_type                | 'smollm3' | 4 unexpected (model.layers.0.self_attn.k_norm.weight
          qwen3 | model_type                | 'phi3'    | missing (model.layers.0.self_attn.qkv_proj.weight
          llama | rope_parameters           | 7                            | 'rope_parameters' must be an object but was 7
          llama | rope_parameters           | {'rope_theta':0}             | 'rope_parameters.rope_theta' must be a positive number but was 0
          llama | partial_rotary_factor     | 0.5       | 'partial_rotary_factor' 0.5 is not supported yet; supported is 1
          llama | attention_bias            | true      | 8 missing (model.layers.0.self_attn.q_proj.bias
          llama | mlp_bias                  | true      | 6 missing (model.layers.0.mlp.gate_proj.bias
          gpt2  | n_head                    | 5         | 'n_embd' must be a multiple of n_head (5) but was 64
          gpt2  | activation_function       | 'mish'    | 'activation_function' 'mish' is not supported yet
          gpt2  | scale_attn_weights        | 1         | 'scale_attn_weights' must be true or false but was 1
          gpt2  | add_cross_attention       | true      | 'add_cross_attention' true is not supported yet
          gpt2  | n_inner                   | 255       | 6 wrong shape
          llama | is_causal                 | false     | 'is_causal' false is not supported yet; supported is true
          llama | is_causal                 | null      | 'is_causal' null is not supported yet; supported is true
          gpt2  | is_causal                 | false     | 'is_causal' false is not supported yet
          llama | is_causal                 | 'yes'     | 'is_causal' must be true or false but was 'yes'
          llama | text_config               | {'hidden_size':8} | 'text_config' {'hidden_size':8} is not supported yet; supported is a model without it
          gpt2  | per_layer_config          | {'1':{'n_inner':8}} | 'per_layer_config' {'1':{'n_inner':8}} is not supported yet
          llama | is_encoder_decoder        | true      | 'is_encoder_decoder' true is not supported yet
          llama | compression_config        | {'format':'int'} | 'compression_config' {'format':'int'} is not supported yet
          llama | transformers_weights      | 'other.safetensors' | 'transformers_weights' 'other.safetensors' is not supported yet; supported is model.safetensors
          llama | transformers_weights      | 'model.safetensors.index.json' | supported is model.safetensors, the file that is read here
          llama | architectures             | ['Qwen2ForCausalLM'] | 'architectures' must be ['LlamaForCausalLM'] for model_type llama but was ['Qwen2ForCausalLM']
          gpt2  | hidden_size               | 128       | wrong shape (transformer.wte.weight: file [4096, 64], model [4096, 128]
          gpt2  | num_hidden_layers         | 3         | missing (transformer.h.2.
          gpt2  | num_attention_heads       | 5         | 'n_embd' must be a multiple of num_attention_heads (5) but was 64
          """)
  void aConfigThatIsWrongOrAsksForMoreIsRefused(
      String model, String key, String json, String message) throws IOException {
    Path folder = ModelFolders.copy(model, temp.resolve("model"));
    if (key.equals("model_type")) {
      ModelFolders.setConfig(folder, "architectures", "null");
    }
    ModelFolders.setConfig(folder, key, json.replace('\'', '"'));
    assertThatThrownBy(() -> ModelReader.open(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(message.replace('\'', '"'));
  }

  /** As in transformers 5.23: GPT2Config(n_positions=9, max_position_embeddings=8) has 8. */
  @Test
  void theCommonNamesOfGpt2sKeysWinOverItsOwn() throws IOException {
    Path folder = ModelFolders.copy("gpt2", temp.resolve("model"));
    ModelFolders.editConfig(
        folder,
        config -> {
          config.set("hidden_size", config.remove("n_embd"));
          config.set("num_hidden_layers", config.get("n_layer"));
          config.put("n_layer", 7);
          config.set("max_position_embeddings", config.get("n_positions"));
          config.put("n_positions", 9);
          config.put("num_attention_heads", 8);
          config.put("n_head", 4);
        });
    ModelBlueprint blueprint = ModelBlueprint.read("model", folder);
    assertThat(blueprint.shape().layers()).isEqualTo(2);
    assertThat(blueprint.maxPositions()).isGreaterThan(9);
    Path other = ModelFolders.copy("gpt2", temp.resolve("other"));
    ModelFolders.setConfig(other, "n_head", "8");
    long[] ids = {5, 6, 7};
    try (LoadedModel aliased = ModelReader.open(folder);
        LoadedModel own = ModelReader.open(other);
        TensorScope scope = TensorScope.open()) {
      assertThat(Tensors.toDoubles(logits(aliased.model(), ids)))
          .isEqualTo(Tensors.toDoubles(logits(own.model(), ids)));
      assertThat(aliased.config().unread()).isEmpty();
    }
  }

  @Test
  void anAdapterInTheModelsFolderIsRefused() throws IOException {
    Path folder = ModelFolders.copy("llama", temp.resolve("model"));
    Files.writeString(folder.resolve("adapter_config.json"), "{}");
    assertThatThrownBy(() -> ModelReader.open(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("an adapter lies in the model's folder")
        .hasMessageContaining("adapter");
    assertThatThrownBy(() -> ModelBlueprint.read("model", folder))
        .hasMessageContaining("an adapter lies in the model's folder");
  }

  @Test
  void keysThatNothingHereKnowsAreNamed() throws IOException {
    Path folder = ModelFolders.copy("llama", temp.resolve("model"));
    ModelFolders.editConfig(
        folder,
        config -> {
          config.put("new_scale", 0.5);
          config.putNull("nothing");
          config.put("off", false);
          config.put("use_bidirectional_attention", true);
          config.putObject("rope_parameters").put("rope_theta", 1e4).put("new_rope", 2);
        });
    try (LoadedModel loaded = ModelReader.open(folder)) {
      assertThat(loaded.config().unread())
          .containsExactlyInAnyOrder(
              "new_scale", "use_bidirectional_attention", "rope_parameters.new_rope");
    }
  }

  /** As published: Qwen2.5 names a window that it does not use, SmolLM2 where it comes from. */
  @Test
  void keysOfPublishedModelsAreKnown() throws IOException {
    Path qwen = ModelFolders.copy("qwen2", temp.resolve("qwen"));
    ModelFolders.editConfig(
        qwen,
        config ->
            config
                .put("sliding_window", 32768)
                .put("use_sliding_window", false)
                .put("max_window_layers", 28));
    Path smol = ModelFolders.copy("llama", temp.resolve("smol"));
    ModelFolders.editConfig(
        smol, config -> config.put("is_llama_config", true).put("max_sequence_length", 2048));
    Path gpt2 = ModelFolders.copy("gpt2", temp.resolve("gpt2"));
    ModelFolders.editConfig(
        gpt2,
        config ->
            config
                .put("predict_special_tokens", true)
                .put("output_past", true)
                .put("n_special", 4)
                .put("_num_labels", 1));
    for (Path folder : List.of(qwen, smol, gpt2)) {
      try (LoadedModel loaded = ModelReader.open(folder)) {
        assertThat(loaded.config().unread()).as(folder.toString()).isEmpty();
      }
    }
  }

  @Test
  void settingsOfAnswersThatAreNotReadAreNamed() throws IOException {
    Path folder = ModelFolders.copy("llama", temp.resolve("model"));
    Files.writeString(
        folder.resolve("generation_config.json"),
        "{\"do_sample\":true,\"temperature\":0.6,\"top_p\":1.0,\"top_k\":20,\"eos_token_id\":2,"
            + "\"use_cache\":true,\"min_length\":0,\"repetition_penalty\":1.1}");
    try (LoadedModel loaded = ModelReader.open(folder)) {
      assertThat(loaded.unreadGenerationSettings())
          .containsExactly(
              "do_sample true", "temperature 0.6", "top_k 20", "repetition_penalty 1.1");
    }
  }

  /** Rules of families that have no fixture of their own, on the config of Llama's. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      textBlock =
          """
          phi3    | rope_scaling      | {'type':'longrope'}        | 'rope_scaling.short_factor' must be a list of numbers
          phi3    | rope_scaling      | {'type':'yarn','factor':2} | 'rope_scaling.type' 'yarn' is not supported yet; supported is default, longrope, su
          phi3    | partial_rotary_factor | 0.05                   | partial_rotary_factor must leave an even number of channels of a head, from 2 to 16, but 0.05 leaves 0
          mistral | sliding_window    | 0                          | 'sliding_window' must be a positive integer but was 0
          mistral | sliding_window    | -1                         | 'sliding_window' must be a positive integer but was -1
          smollm3 | no_rope_layers    | [1]                        | 'no_rope_layers' must be of num_hidden_layers (2) entries but was [1]
          smollm3 | no_rope_layers    | ['a','b']                  | 'no_rope_layers' must be a list of 0 and 1 but was ['a','b']
          smollm3 | no_rope_layer_interval | 0                     | 'no_rope_layer_interval' must be a positive integer but was 0
          smollm3 | layer_types       | ['full_attention','sliding_attention'] | 'sliding_window' must be given and used
          qwen3_moe | num_experts     | 60000                      | the experts of all layers must be at most 100,000 but 60,000 in each of 2 layers are more
          qwen3_moe | num_experts_per_tok | 200                    | num_experts_per_tok must be at most the number of experts (128) but was 200
          gpt_neo | attention_types   | 'global'                   | 'attention_types' must be a list of lists such as [['global', 'local'], 2]
          gpt_neo | attention_types   | [[['global','far'],1]]     | 'attention_types' must be a list of lists
          gpt_neo | attention_types   | [[['global'],1]]           | 'attention_types' must be for 2 layers, as many as num_layers says
          olmoe   | clip_qkv          | 1                          | 'clip_qkv' 1 is not supported yet
          cohere2 | sliding_window    | null                       | 'sliding_window' must be given: transformers runs no model of this type without it
          opt     | do_layer_norm_before | false                   | 'do_layer_norm_before' false is not supported yet; supported is true
          falcon  | alibi             | true                       | 'alibi' true is not supported yet
          granitemoehybrid | layer_types | ['mamba','attention']   | 'layer_types' ['mamba','attention'] is not supported yet; supported is attention in all layers
          stablelm | qk_layernorm     | true                       | 'qk_layernorm' true is not supported yet
          nemotron | num_key_value_heads | null                    | 'num_key_value_heads' must be a positive integer but was null
          gemma   | use_bidirectional_attention | true             | 'use_bidirectional_attention' true is not supported yet
          exaone4 | sliding_window    | null                       | 'layer_types' must be given where there is no sliding_window
          granite_swa | layer_rope_theta | [1e4]                   | 'layer_rope_theta' must be of num_hidden_layers (2) entries but was [10000.0]
          granite_swa | layer_rope_theta | [1e4,-1]                | 'layer_rope_theta' must be a list of numbers that are not negative
          granite_swa | sliding_window | null                      | 'sliding_window' must be given: transformers runs no model of this type without it
          codegen | rotary_dim        | null                       | 'rotary_dim' null is not supported yet; supported is an even number
          lfm2    | layer_types       | ['conv','sliding_attention'] | 'layer_types' ['conv','sliding_attention'] is not supported yet; supported is full_attention, conv
          lfm2    | layer_types       | ['conv']                   | 'layer_types' must be of num_hidden_layers (2) entries but was ['conv']
          lfm2    | block_ffn_dim_multiplier | 1e6                 | 'block_ffn_dim_multiplier' must be such that the width of the MLP is from 1 to 4194304
          lfm2    | conv_L_cache      | 0                          | 'conv_L_cache' must be a positive integer but was 0
          lfm2    | conv_bias         | 1                          | 'conv_bias' must be true or false but was 1
          qwen3_5_text | layer_types  | ['linear_attention','conv'] | 'layer_types' ['linear_attention','conv'] is not supported yet; supported is full_attention, linear_attention
          qwen3_5_text | full_attention_interval | 0               | 'full_attention_interval' must be a positive integer but was 0
          qwen3_5_text | linear_num_key_heads | 3                  | linear_num_value_heads must be a multiple of linear_num_key_heads (3) but was 32
          qwen3_5_text | partial_rotary_factor | 0.05              | partial_rotary_factor must leave an even number of channels of a head
          """)
  void aConfigOfAnotherFamilyIsRefusedByKeyAndValue(
      String family, String key, String json, String message) throws IOException {
    Path folder = ModelFolders.copy("llama", temp.resolve("model"));
    ModelFolders.setConfig(folder, "model_type", '"' + family + '"');
    ModelFolders.setConfig(folder, key, json.replace('\'', '"'));
    assertThatThrownBy(() -> ModelReader.open(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(message.replace('\'', '"'));
  }

  /** AutoModel reads it as Ministral, and TRL builds the class that is named. */
  @Test
  void layerTypesOfANamedMistralMustAgreeWithItsWindow() throws IOException {
    Path folder = ModelFolders.copy("llama", temp.resolve("model"));
    ModelFolders.setConfig(folder, "model_type", "\"mistral\"");
    ModelFolders.setConfig(folder, "architectures", "[\"MistralForCausalLM\"]");
    ModelFolders.setConfig(folder, "layer_types", "[\"sliding_attention\", \"sliding_attention\"]");
    ModelReader.open(folder).close();
    ModelFolders.setConfig(folder, "layer_types", "[\"full_attention\", \"sliding_attention\"]");
    assertThatThrownBy(() -> ModelReader.open(folder))
        .hasMessageContaining(
            "supported is the same for all layers, as sliding_window says, where architectures"
                + " names MistralForCausalLM");
    ModelFolders.setConfig(folder, "architectures", "[\"Qwen2ForCausalLM\"]");
    assertThatThrownBy(() -> ModelReader.open(folder))
        .hasMessageContaining("\"architectures\" must be [\"MinistralForCausalLM\"]");
  }

  @Test
  void llamaWithoutHeadDimNeedsDivisibleWidth() throws IOException {
    Path folder = ModelFolders.copy("llama", temp.resolve("model"));
    ModelFolders.editConfig(
        folder, config -> config.put("num_attention_heads", 6).remove("head_dim"));
    assertThatThrownBy(() -> ModelReader.open(folder))
        .hasMessageContaining("\"hidden_size\" must be a multiple of num_attention_heads (6)");
  }

  /** The same model as transformers 4 would describe it. */
  @Test
  void keysOfTransformersFourMeanTheSame() throws IOException {
    Path four = ModelFolders.copy("llama", temp.resolve("four"));
    Path five = ModelFolders.copy("llama", temp.resolve("five"));
    ModelFolders.setConfig(
        five, "rope_parameters", "{\"rope_type\":\"default\",\"rope_theta\":5e5}");
    ModelFolders.editConfig(
        four,
        config -> {
          config.remove("rope_parameters");
          config.remove("head_dim");
          config.put("rope_theta", 500000.0).putNull("rope_scaling");
          config.remove("dtype");
          config.put("torch_dtype", "float16");
        });
    HuggingFaceConfig older = new ModelFolder(four).config();
    HuggingFaceConfig newer = new ModelFolder(five).config();
    ModelFamily family = LlamaFamilies.ALL.get(0);
    assertThat(family.plan(older).config()).isEqualTo(family.plan(newer).config());
    assertThat(older.dtype()).contains(ElementType.F16);
    ModelFolders.setConfig(four, "rope_theta", "400000");
    assertThat(family.plan(new ModelFolder(four).config()).config())
        .isNotEqualTo(family.plan(newer).config());
  }

  @Test
  void tokenIdsMayBeOneOrSeveral() throws IOException {
    Path folder = ModelFolders.copy("llama", temp.resolve("model"));
    assertThat(new ModelFolder(folder).config().tokenIds("eos_token_id")).containsExactly(2);
    assertThat(new ModelFolder(folder).config().tokenIds("bos_token_id")).isEmpty();
    ModelFolders.setConfig(folder, "eos_token_id", "[2, 7]");
    assertThat(new ModelFolder(folder).config().tokenIds("eos_token_id")).containsExactly(2, 7);
    ModelFolders.setConfig(folder, "eos_token_id", "\"</s>\"");
    assertThatThrownBy(() -> new ModelFolder(folder).config().tokenIds("eos_token_id"))
        .hasMessageContaining("\"eos_token_id\" must be a token id or a list of token ids");
  }

  @Test
  void aFolderThatIsNotThereIsAUsageErrorAndAHubNameSaysHowToDownload() throws IOException {
    Path file = Files.createFile(temp.resolve("file"));
    assertThatThrownBy(() -> ModelReader.open(file))
        .isInstanceOf(UsageException.class)
        .hasMessage("model must be a model folder but " + file + " is a file");
    assertThatThrownBy(
            () -> ModelReader.open("ref_model", Path.of("acme-org/chat-1.5b"), WeightMemory.PLAIN))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("ref_model must be a model folder")
        .hasMessageContaining("./dpo4j download acme-org/chat-1.5b --output_dir DIR");
    assertThatThrownBy(() -> ModelReader.open(temp.resolve("absent")))
        .isInstanceOf(UsageException.class)
        .hasMessageEndingWith("does not exist");
  }

  @Test
  void aFolderThatLacksAFileIsAnErrorOfContent() throws IOException {
    assertThatThrownBy(() -> ModelReader.open(temp))
        .isInstanceOf(DpoException.class)
        .isNotInstanceOf(UsageException.class)
        .hasMessageStartingWith("[" + temp + "] has no config.json");
    assertThatThrownBy(() -> new ModelFolder(temp).tokenizer())
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("[" + temp + "] has no tokenizer.json");
    Files.writeString(temp.resolve("config.json"), "{\"model_type\": \"llama\",\n oops}");
    assertThatThrownBy(() -> ModelReader.open(temp))
        .hasMessageContaining("is not valid JSON")
        .hasMessageContaining("line 2");
    Files.writeString(temp.resolve("config.json"), "[]");
    assertThatThrownBy(() -> ModelReader.open(temp)).hasMessageContaining("must be a JSON object");
  }
}
