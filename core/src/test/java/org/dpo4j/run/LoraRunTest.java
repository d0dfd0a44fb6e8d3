package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.Closeness.relative;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: a run that trains another adapter than it was asked for, with another reference than it
 * says, and an adapter, a merged checkpoint or a continued run that computes something else.
 */
class LoraRunTest {

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  LoraRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aRunWritesAnAdapterThatScoresAsTheMergedCheckpointDoes() throws IOException {
    train("first", Map.of("use_peft", true, "lora_r", 4, "learning_rate", 1e-2));
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("348,480 parameters, frozen")
        // Two layers; q_proj 4 x (64 + 64), v_proj 4 x (64 + 32).
        .contains("LoRA, 1,792 of 350,272 parameters trained")
        .contains("dropout 0.05 off (disable_dropout)")
        .contains("reference: the model with its adapter off (weights sha256 6972034bea06)\n")
        .contains("start check passed");
    assertThat(names(folder.resolve("first")))
        .contains("adapter_config.json", "adapter_model.safetensors", "tokenizer.json")
        .contains("README.md", "dpo4j.yaml", "trainer_state.json", "tokenizer_config.json")
        .doesNotContain("config.json", "model.safetensors", "generation_config.json");
    assertThat(Files.readString(folder.resolve("first/README.md")))
        .contains("library_name: peft", "This is a LoRA adapter for llama");

    MergeRun.run(
        MergeConfig.of(
            Map.of(
                "model",
                fixture("models/llama"),
                "adapter",
                folder.resolve("first"),
                "output_dir",
                folder.resolve("merged"),
                "verify",
                true)),
        output(out));
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("largest logit difference: ");
    double with = chosen(fixture("models/llama"), folder.resolve("first"));
    assertThat(chosen(folder.resolve("merged"), null))
        .usingComparator(relative(1e-2))
        .isEqualTo(with);
    assertThat(chosen(fixture("models/llama"), null)).isNotCloseTo(with, within(0.1));
  }

  @Test
  void oneSeedGivesTheSameAdapterAndAnotherSeedAnother() throws IOException {
    Map<String, Object> options =
        Map.of("use_peft", true, "disable_dropout", false, "lora_dropout", 0.5);
    train("a", options);
    train("b", options);
    Map<String, Object> other = new HashMap<>(options);
    other.put("seed", 7);
    train("c", other);
    byte[] first = Files.readAllBytes(folder.resolve("a/adapter_model.safetensors"));
    assertThat(folder.resolve("b/adapter_model.safetensors")).hasBinaryContent(first);
    assertThat(Files.readAllBytes(folder.resolve("c/adapter_model.safetensors")))
        .isNotEqualTo(first);
  }

  @Test
  void theHeaderSaysWhichReferenceAnAdapterGoesOnAgainst() {
    Path adapter = fixture("adapters/llama-r8");
    train("start", Map.of("adapter", adapter));
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("reference: a frozen copy of the start model with the adapter " + adapter)
        // What sha256sum prints for the two files.
        .contains("(weights sha256 6972034bea06, adapter sha256 43d34524666b)\n")
        .contains("start check passed");
    out.reset();
    train("base", Map.of("adapter", adapter, "reference", "base"));
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("reference: the model with its adapter off (weights sha256 6972034bea06)")
        .contains("; start check skipped")
        .doesNotContain("start check passed");
  }

  /**
   * The adapter of TRL's moving reference is a second one: the trajectory lora_sync compares it.
   */
  @Test
  void aReferenceThatFollowsAnAdapterIsSaidToBeACopyOfItAndNotOfAWholeOtherModel() {
    Path adapter = fixture("adapters/llama-r8");
    train("sync", Map.of("adapter", adapter, "sync_ref_model", true));
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains(
            "reference: the start model with a copy of the adapter, which goes 0.6 of the way to"
                + " the policy after every 512 steps (weights sha256 6972034bea06, adapter sha256"
                + " 43d34524666b)\n")
        .contains("start check passed");
    assertThatThrownBy(
            () ->
                train(
                    "other",
                    Map.of(
                        "use_peft", true,
                        "sync_ref_model", true,
                        "ref_model", fixture("models/llama"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("sync_ref_model moves an adapter towards the policy with use_peft");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "lora_r | 16 | lora_r is 16 but the adapter of adapter was made with 8",
        "lora_alpha | 32 | lora_alpha is 32 but the adapter of adapter was made with 16",
        "lora_dropout | 0.05 | lora_dropout is 0.05 but the adapter of adapter was made with 0",
        "use_rslora | true | use_rslora is true but",
        "use_dora | true | use_dora is true but",
        "lora_target_modules | q_proj | does not name model.layers.0.self_attn.v_proj",
        "lora_target_modules | k_proj,q_proj | but k_proj names none",
        "lora_exclude_modules | q_proj | lora_exclude_modules is q_proj but",
        "lora_layers_to_transform | 1 | lora_layers_to_transform is 1 but",
        "lora_bias | all | lora_bias is all but",
        "lora_modules_to_save | norm | lora_modules_to_save is norm but",
        "lora_rank_pattern | q_proj=2 | lora_rank_pattern is {\"q_proj\": 2} but",
      })
  void anOptionThatContradictsTheAdapterIsRefused(String option, String value, String says) {
    Path adapter = fixture("adapters/llama-r8");
    assertThatThrownBy(() -> train("out", Map.of("adapter", adapter, option, value)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(says);
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void optionsThatSayWhatTheAdapterIsAreTaken() {
    train(
        "out",
        Map.of(
            "adapter",
            fixture("adapters/llama-r8"),
            "lora_r",
            8,
            "lora_target_modules",
            List.of("v_proj", "q_proj")));
    assertThat(folder.resolve("out/adapter_config.json")).exists();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {"all | , all biases", "lora_only | , the biases of these layers"})
  void biasesAreTrainedAndMerged(String bias, String says) throws IOException {
    assertMergesToTheSame(
        "gpt2", Map.of("use_peft", true, "lora_r", 2, "lora_bias", bias, "learning_rate", 1e-2));
    assertThat(out.toString(StandardCharsets.UTF_8)).contains(says, "start check passed");
    assertThatThrownBy(() -> train("none", Map.of("use_peft", true, "lora_bias", bias)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("lora_bias must train biases but");
  }

  @ParameterizedTest
  @CsvSource({"llama,auto", "gpt2,auto", "llama,int8"})
  void doraIsTrainedAndMerged(String model, String baseDtype) throws IOException {
    Map<String, Object> options =
        Map.of(
            "use_peft",
            true,
            "lora_r",
            2,
            "use_dora",
            true,
            "base_dtype",
            baseDtype,
            "lora_target_modules",
            "all-linear",
            "learning_rate",
            1e-2);
    assertMergesToTheSame(model, options);
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("DoRA, ", "start check passed");
  }

  /** qwen3 has a head of its own, in llama it is the embedding table. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "qwen3 | embed_tokens,q_proj | '' | false | on 3 layers (embed_tokens, q_proj)",
        "qwen3 | embed_tokens,lm_head | '' | false | on 2 layers (embed_tokens, lm_head)",
        "llama | lm_head,q_proj | '' | true | on 3 layers (embed_tokens, q_proj) and the tied head",
        "llama | q_proj | embed_tokens | true | whole modules: embed_tokens",
        "llama | q_proj | lm_head | true | whole modules: lm_head",
      })
  void embeddingTableAndHeadAreTrainedAndMerged(
      String model, String targets, String saved, boolean tying, String says) throws IOException {
    Map<String, Object> options = new HashMap<>();
    options.put("use_peft", true);
    options.put("lora_r", 2);
    options.put("lora_target_modules", targets);
    options.put("lora_ensure_weight_tying", tying);
    options.put("learning_rate", 1e-2);
    if (!saved.isEmpty()) {
      options.put("lora_modules_to_save", saved);
    }
    assertMergesToTheSame(model, options);
    assertThat(out.toString(StandardCharsets.UTF_8)).contains(says, "start check passed");
  }

  @ParameterizedTest
  @CsvSource({"embed_tokens", "lm_head", "'embed_tokens,lm_head'"})
  void whatAdaptsATiedTableForOneUseIsTrainedAndNotMerged(String targets) throws IOException {
    train("adapter", Map.of("use_peft", true, "lora_target_modules", targets));
    Map<String, Object> merging =
        Map.of(
            "model", fixture("models/llama"),
            "adapter", folder.resolve("adapter"),
            "output_dir", folder.resolve("merged"));
    assertThatThrownBy(() -> MergeRun.run(MergeConfig.of(merging), output(out)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("ensure_weight_tying must be true, with one alpha and rank, for an");
    assertThat(folder.resolve("merged")).doesNotExist();
    assertThat(chosen(fixture("models/llama"), folder.resolve("adapter")))
        .isNotEqualTo(chosen(fixture("models/llama"), null));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "lora_modules_to_save | embed_tokens | lora_modules_to_save must not name model.embed_tok",
        "lora_modules_to_save | embed_tokens | or set ensure_weight_tying to true",
        "use_dora | true | use_dora works with layers of blocks but target_modules names model.emb",
        "lora_ensure_weight_tying | true | lora_ensure_weight_tying needs embed_tokens or lm_head",
      })
  void whatATiedTableCannotHaveIsRefused(String option, String value, String says) {
    String targets = option.equals("use_dora") ? "embed_tokens" : "q_proj";
    Map<String, ?> options =
        Map.of("use_peft", true, "lora_target_modules", targets, option, value);
    assertThatThrownBy(() -> train("out", options))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(says);
  }

  private void assertMergesToTheSame(String model, Map<String, ?> options) throws IOException {
    Path base = RunFixture.model(model, folder);
    Map<String, Object> all = new HashMap<>(options);
    all.put("model", base);
    train("adapter", all);
    Path merged = folder.resolve("merged");
    Map<String, Object> merging =
        Map.of(
            "model",
            base,
            "adapter",
            folder.resolve("adapter"),
            "output_dir",
            merged,
            "verify",
            true);
    MergeRun.run(MergeConfig.of(merging), output(out));
    double with = chosen(base, folder.resolve("adapter"));
    assertThat(chosen(merged, null)).usingComparator(relative(1e-5)).isEqualTo(with);
    assertThat(chosen(base, null)).isNotCloseTo(with, within(0.1));
  }

  /** Of 2 blocks with q_proj and v_proj each, the second one's q_proj is left. */
  @Test
  void layersAndBlocksAreLeftOutAndPeftsFileSaysSo() throws IOException {
    train(
        "out",
        Map.of(
            "use_peft",
            true,
            "lora_exclude_modules",
            List.of("v_proj", "mlp"),
            "lora_layers_to_transform",
            List.of(1)));
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains(", on 1 layers (q_proj)")
        .contains("lora_exclude_modules mlp leaves out none of the layers of lora_target_modules");
    JsonNode config =
        JsonMapper.shared().readTree(folder.resolve("out/adapter_config.json").toFile());
    assertThat(config.get("target_modules").toString()).isEqualTo("[\"q_proj\",\"v_proj\"]");
    assertThat(config.get("exclude_modules").toString()).isEqualTo("[\"v_proj\",\"mlp\"]");
    assertThat(config.get("layers_to_transform").toString()).isEqualTo("[1]");
    out.reset();
    train("more", Map.of("adapter", folder.resolve("out")));
    assertThat(out.toString(StandardCharsets.UTF_8)).contains(", on 1 layers (q_proj)");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "q_proj | v_proj | 0,2 | block 2 has none",
        "q_proj | v_proj | 2 | lora_layers_to_transform must leave some of the layers that",
        "all-linear | k_proj | 0 | lora_layers_to_transform works with target_modules that are names",
        "q_proj | q_proj | 0 | lora_exclude_modules must leave some of the layers",
        "q_proj,v_proj | v_proj | 0 | but lora_exclude_modules takes out all that v_proj names; leave",
        "q_proj | .*(q_proj | 0 | lora_exclude_modules and the patterns must be regular expressions",
      })
  void whatLeavesNoLayerOrNamesNoBlockIsRefused(
      String targets, String excluded, String blocks, String says) {
    assertThatThrownBy(
            () ->
                train(
                    "out",
                    Map.of(
                        "use_peft", true,
                        "lora_target_modules", targets,
                        "lora_exclude_modules", excluded,
                        "lora_layers_to_transform", blocks)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(says);
  }

  @ParameterizedTest
  @CsvSource({
    "models/gpt2, attn_pdrop",
    "families/gpt_bigcode, attn_pdrop",
    "families/biogpt, attention_probs_dropout_prob",
    "families/opt, dropout",
    "families/seed_oss, attention_dropout"
  })
  void dropoutOfTheModelItselfIsRefusedRatherThanLeftOff(String model, String key)
      throws IOException {
    TrainingConfig config =
        TrainingConfig.of(
            Map.of(
                "model", "m",
                "data_file", "d",
                "output_dir", "o",
                "use_peft", true,
                "disable_dropout", false));
    Files.copy(fixture(model + "/model.safetensors"), folder.resolve("model.safetensors"));
    ObjectNode json =
        (ObjectNode) JsonMapper.shared().readTree(fixture(model + "/config.json").toFile());
    Files.writeString(folder.resolve("config.json"), json.without(key).toString());
    try (LoadedModel without = ModelReader.open(folder)) {
      assertThatThrownBy(() -> TrainedAdapter.of(config, without, output(out)))
          .isInstanceOf(UsageException.class)
          .hasMessageContainingAll("disable_dropout false needs", " " + key + " of", "is 0.1");
    }
  }

  private void train(String name, Map<String, ?> more) {
    Map<String, Object> options = new HashMap<>(more);
    options.putIfAbsent("model", fixture("models/llama"));
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("output_dir", folder.resolve(name));
    options.put("max_length", 128);
    options.put("max_steps", 2);
    options.put("per_device_train_batch_size", 2);
    TrainingRun.run(TrainingConfig.of(options), output(out));
  }

  /** The log-probability of the first chosen answer. */
  private double chosen(Path model, @Nullable Path adapter) throws IOException {
    Path scores = folder.resolve("scores.jsonl");
    Map<String, Object> options = new HashMap<>();
    options.put("model", model);
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("output", scores);
    if (adapter != null) {
      options.put("adapter", adapter);
    }
    ScoreRun.run(ScoreConfig.of(options), output(out));
    String line = Files.readAllLines(scores).get(0);
    return JsonMapper.shared().readTree(line).get("chosen_logps").asDouble();
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> String.valueOf(file.getFileName())).toList();
    }
  }
}
