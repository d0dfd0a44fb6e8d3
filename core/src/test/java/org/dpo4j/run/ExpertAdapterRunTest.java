package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.Closeness.relative;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.weights.ModelBlueprint;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: a command that leaves out the experts of an adapter or counts them wrong. One model has
 * its experts one by one in its file, the other joined and transposed.
 */
class ExpertAdapterRunTest {

  private static final String BOTH = "mlp.experts.gate_up_proj,mlp.experts.down_proj";

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  ExpertAdapterRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /**
   * Rank 4; hidden 32, 4 experts of width 16, 2 blocks. Of a block q_proj 4 x (32 + 32), gate and
   * input 4 x 4 x (32 + 32), outputs 4 x 4 x (16 + 32), and the router 4 x (32 + 4).
   */
  @ParameterizedTest
  @CsvSource({"mixtral, q_proj, gate.weight, '4,384'", "gpt_oss, q_proj, router.weight, '4,384'"})
  void anAdapterOnExpertsIsPlannedTrainedResumedAndMerged(
      String family, String target, String router, String trained) throws IOException {
    Path model = RunFixture.family(family, folder);
    Map<String, Object> options = options(model);
    options.put("lora_target_modules", target);
    options.put("lora_target_parameters", BOTH + "," + router);

    RunFixture.plan(out, options);
    assertThat(text(out)).contains("; LoRA, " + trained + " trained");

    out.reset();
    options.put("save_steps", 1);
    options.put("save_total_limit", 0);
    options.put("sync_ref_model", true);
    options.put("ref_model_sync_steps", 2);
    train("adapter", options);
    assertThat(text(out))
        .contains("LoRA, " + trained + " of ")
        .contains("on 2 layers (q_proj) and experts.down_proj, experts.gate_up_proj, " + router);

    options.put("resume_from_checkpoint", folder.resolve("adapter/checkpoint-2"));
    train("resumed", options);
    assertThat(folder.resolve("resumed/adapter_model.safetensors"))
        .hasSameBinaryContentAs(folder.resolve("adapter/adapter_model.safetensors"));

    out.reset();
    MergeRun.run(
        MergeConfig.of(
            Map.of(
                "model",
                model,
                "adapter",
                folder.resolve("adapter"),
                "output_dir",
                folder.resolve("merged"),
                "verify",
                true)),
        output(out));
    assertThat(text(out)).contains("largest logit difference: ");
    double merged = RunFixture.firstChosen(folder, folder.resolve("merged"), Optional.empty());
    assertThat(RunFixture.firstChosen(folder, model, Optional.of(folder.resolve("adapter"))))
        .usingComparator(relative(1e-5))
        .isEqualTo(merged);
    assertThat(RunFixture.firstChosen(folder, model, Optional.empty()))
        .isNotCloseTo(merged, within(0.1));
  }

  /** 4 x 4 x (16 + 32); the model that is tried has one block. */
  @Test
  void expertsOfOneBlockArePlanned() throws IOException {
    Map<String, Object> options = options(RunFixture.family("mixtral", folder));
    options.put("lora_target_parameters", "model.layers.1.mlp.experts.down_proj");
    RunFixture.plan(out, options);
    assertThat(text(out)).contains("; LoRA, 768 trained").contains("time");
  }

  /** 4 x 4 x (32 + 32) and 4 x 4 x (16 + 32) in 2 blocks. */
  @ParameterizedTest
  @CsvSource({"qwen3_moe", "mixtral"})
  void noOtherTargetsAreNeeded(String family) throws IOException {
    Map<String, Object> options = options(RunFixture.family(family, folder));
    options.put("lora_target_parameters", BOTH);
    train("adapter", options);
    assertThat(text(out))
        .contains("LoRA, 3,584 of ")
        .contains(", on experts.down_proj, experts.gate_up_proj\n");
    Path adapter = folder.resolve("adapter");
    assertThat(
            JsonMapper.shared()
                .readTree(Files.readString(adapter.resolve("adapter_config.json")))
                .get("target_modules"))
        .isEmpty();

    options.remove("use_peft");
    options.put("adapter", adapter);
    train("further", options);
    options.put("lora_target_parameters", "mlp.experts.down_proj");
    assertThatThrownBy(() -> train("other", options))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("lora_target_parameters is mlp.experts.down_proj but the adapter of");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "lora_dropout | 0.05 | lora_target_parameters needs an adapter without dropout, as in PEFT, but lora_dropout is 0.05; set it to 0",
        "use_dora | true | lora_target_parameters works, as in PEFT, without use_dora",
        "lora_target_parameters | experts.down_proj,experts.up_proj | but experts.up_proj finds none; the model has mlp.experts.gate_up_proj, mlp.experts.down_proj and mlp.gate.weight",
        "lora_target_parameters | v_proj.weight | but v_proj.weight finds model.layers.0.self_attn.v_proj.weight",
        "lora_rank_pattern | gate_proj=2 | lora_rank_pattern must name layers that",
      })
  void whatPeftRefusesOrOverlooksIsRefused(String option, String value, String says)
      throws IOException {
    Map<String, Object> options = options(RunFixture.family("mixtral", folder));
    options.put("lora_target_modules", "q_proj");
    options.put("lora_target_parameters", BOTH);
    options.put(option, value);
    assertThatThrownBy(() -> train("adapter", options))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(says);
    assertThatThrownBy(() -> RunFixture.plan(out, options))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(says);
  }

  /** PEFT stores the bias of an adapted router under another name, and drops it without a word. */
  @ParameterizedTest
  @ValueSource(strings = {"all", "lora_only"})
  void biasesBesideARouterWithABiasAreRefused(String bias) throws IOException {
    Map<String, Object> options = options(RunFixture.family("gpt_oss", folder));
    options.put("lora_target_modules", "q_proj");
    options.put("lora_target_parameters", "router.weight");
    options.put("lora_bias", bias);
    assertThatThrownBy(() -> RunFixture.plan(out, options))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("must be none where target_parameters names a router with a bias");
    options.put("lora_target_parameters", "experts.down_proj");
    RunFixture.plan(out, options);
  }

  /** The model has MLPs in one block and experts in the others. */
  @ParameterizedTest
  @CsvSource({"all-linear, true", "'q_proj,v_proj', false"})
  void anAdapterThatPeftMisreadsIsWarnedOf(String targets, boolean misread) {
    Map<String, Object> options = options(fixture("families/qwen3_moe"));
    options.put("lora_target_modules", targets);
    options.put("output_dir", folder.resolve("out"));
    TrainingConfig config = TrainingConfig.of(options);
    ModelBlueprint base = ModelBlueprint.read("model", fixture("families/qwen3_moe"));
    TrainedAdapter.check(
        config, TrainedAdapter.config(config, base).orElseThrow(), base, output(out));
    assertThat(text(out).contains("PEFT will misread this adapter")).isEqualTo(misread);
  }

  private static Map<String, Object> options(Path model) {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("model", model);
    options.put("data_file", fixture("family_trajectories/pairs.jsonl"));
    options.put("max_length", 128);
    options.put("use_peft", true);
    options.put("lora_r", 4);
    options.put("lora_dropout", 0);
    options.put("learning_rate", 1e-2);
    options.put("max_steps", 4);
    return options;
  }

  private void train(String name, Map<String, Object> options) {
    Map<String, Object> all = new LinkedHashMap<>(options);
    all.put("output_dir", folder.resolve(name));
    TrainingRun.run(TrainingConfig.of(all), output(out));
  }
}
