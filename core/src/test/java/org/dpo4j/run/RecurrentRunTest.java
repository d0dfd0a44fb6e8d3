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
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.config.ExportConfig;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a command that takes all blocks of a model for equal, and so loses the layers of an
 * adapter that the first block does not have. One block has a recurrence, the other attention.
 */
class RecurrentRunTest {

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  RecurrentRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /**
   * Rank 4 on all linear layers; hidden 32, MLP 48. Of LFM2 in_proj 4 x (32 + 96), out_proj 4 x (32
   * + 32), q and output 4 x (32 + 32), k and v 4 x (32 + 16), and twice the MLP's 3 x 4 x (32 +
   * 48). Of Qwen3.5 in_proj_qkv and q_proj with its gates 4 x (32 + 64), in_proj_z, out_proj and
   * o_proj 4 x (32 + 32), in_proj_a and b 4 x (32 + 4), k, v and the MLPs as before.
   */
  @ParameterizedTest
  @CsvSource({
    "lfm2, '3,584', short convolutions",
    "qwen3_5_text, '4,128', gated attention and gated delta rules"
  })
  void anAdapterIsPlannedTrainedAndMergedOnAllKindsOfBlocks(
      String family, String trained, String parts) throws IOException {
    Path model = RunFixture.family(family, folder);
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("model", model);
    options.put("data_file", fixture("family_trajectories/pairs.jsonl"));
    options.put("max_length", 128);
    options.put("use_peft", true);
    options.put("lora_r", 4);
    options.put("lora_target_modules", "all-linear");
    options.put("learning_rate", 1e-2);
    options.put("max_steps", 4);

    RunFixture.plan(out, options);
    assertThat(text(out))
        .contains("; LoRA, " + trained + " trained")
        .contains("note: the model has " + parts + ", which have no hand-written backward pass");

    out.reset();
    options.put("output_dir", folder.resolve("adapter"));
    TrainingRun.run(TrainingConfig.of(options), output(out));
    assertThat(text(out))
        .contains("LoRA, " + trained + " of ")
        .contains("note: the model has " + parts + ", which have no hand-written backward pass")
        .contains("start check passed");

    out.reset();
    Map<String, Object> merge =
        Map.of(
            "model",
            model,
            "adapter",
            folder.resolve("adapter"),
            "output_dir",
            folder.resolve("merged"),
            "verify",
            true);
    MergeRun.run(MergeConfig.of(merge), output(out));
    assertThat(text(out)).contains("largest logit difference: ");
    double merged = RunFixture.firstChosen(folder, folder.resolve("merged"), Optional.empty());
    assertThat(RunFixture.firstChosen(folder, model, Optional.of(folder.resolve("adapter"))))
        .usingComparator(relative(1e-5))
        .isEqualTo(merged);
    assertThat(RunFixture.firstChosen(folder, model, Optional.empty()))
        .isNotCloseTo(merged, within(0.1));
  }

  /** The adapter is on layers that only one of the two blocks has. */
  @ParameterizedTest
  @ValueSource(strings = {"q_proj", "in_proj"})
  void aTrialHasOneBlockOfEachKind(String target) throws IOException {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("model", RunFixture.family("lfm2", folder));
    options.put("data_file", fixture("family_trajectories/pairs.jsonl"));
    options.put("max_length", 128);
    options.put("use_peft", true);
    options.put("lora_target_modules", target);
    RunFixture.plan(out, options);
    assertThat(text(out)).contains("time, after a trial");
  }

  @ParameterizedTest
  @ValueSource(strings = {"lfm2", "qwen3_5_text"})
  void anExportIsRefusedByTheNameOfTheModelType(String family) throws IOException {
    Map<String, Object> options =
        Map.of("model", RunFixture.family(family, folder), "output", folder.resolve("model.gguf"));
    assertThatThrownBy(() -> ExportRun.run(ExportConfig.of(options), output(out)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("model_type \"" + family + "\"");
    assertThat(folder.resolve("model.gguf")).doesNotExist();
  }
}
