package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.torch.ElementType;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.ModelWriter;
import org.dpo4j.weights.SafetensorsFile;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: results of weights that are in no file, an update that rounding throws away without a
 * word, and a merge that is called right because logits are large.
 */
class SavingTest {

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  SavingTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** A bf16 checkpoint, which rounding to bf16 leaves as it is. */
  @BeforeEach
  void base() {
    try (LoadedModel loaded = ModelReader.open(fixture("models/llama"))) {
      new ModelWriter().write(folder.resolve("base"), loaded, loaded.model(), ElementType.BF16);
    }
  }

  /** The default rate moves a weight by 1e-6 a step; bf16's step at 0.02 is 6e-5. */
  @Test
  void autoTakesFloat32WhereTheCheckpointsTypeWouldRoundTheUpdateAway() throws IOException {
    train(Map.of());

    assertThat(Checkpoint.open(folder.resolve("out")).dtype()).isEqualTo(ElementType.F32);
    assertThat(text(out))
        .contains(
            "will be saved as bfloat16, or as float32 if bfloat16 would lose more than 5 % of the update\n")
        .containsPattern("\nsaved as float32 \\(bfloat16 would lose (9\\d|100) % of the update\\)")
        .doesNotContain("warning: rounding");
    assertReportedIsSaved(null);
  }

  @Test
  void anExplicitTypeIsTakenAndItsLossIsReportedAndWarnedOf() throws IOException {
    train(Map.of("save_dtype", "bfloat16"));

    assertThat(Checkpoint.open(folder.resolve("out")).dtype()).isEqualTo(ElementType.BF16);
    assertThat(text(out))
        .containsPattern(
            "warning: rounding to bfloat16 lost (9\\d|100) % of the update; pass"
                + " save_dtype float32");
    assertReportedIsSaved(null);
  }

  /** At 1e-2 a step moves a weight by many of bf16's steps. */
  @Test
  void autoKeepsTheCheckpointsTypeWhereRoundingLosesLittle() throws IOException {
    train(Map.of("learning_rate", 1e-2));

    assertThat(Checkpoint.open(folder.resolve("out")).dtype()).isEqualTo(ElementType.BF16);
    assertThat(text(out))
        .containsPattern(
            "\nsaved as bfloat16 \\(rounding to bfloat16 lost [\\d.]+ % of the update\\)")
        .doesNotContain("warning: rounding");
    assertReportedIsSaved(null);
  }

  @Test
  void anAdapterIsFloat32UnlessAskedAndRoundedBeforeTheLastEvaluation() throws IOException {
    Map<String, Object> lora = Map.of("use_peft", true, "lora_r", 4, "learning_rate", 1e-2);
    train(lora);
    Path file = folder.resolve("out/adapter_model.safetensors");
    assertThat(type(file)).contains(ElementType.F32);
    assertReportedIsSaved(folder.resolve("out"));

    Map<String, Object> rounded = new HashMap<>(lora);
    rounded.put("save_dtype", "bfloat16");
    rounded.put("overwrite_output_dir", true);
    out.reset();
    train(rounded);
    assertThat(type(file)).contains(ElementType.BF16);
    assertThat(text(out))
        .containsPattern("saved as bfloat16 \\(rounding to bfloat16 lost 0\\.\\d+ %");
    assertReportedIsSaved(folder.resolve("out"));
  }

  @Test
  void aMergeKeepsTheAdapterAndSaysInWhichType() {
    train(Map.of("use_peft", true, "learning_rate", 1e-4));
    Path merged = merge("merged", Map.of("verify", true));

    assertThat(Checkpoint.open(merged).dtype()).isEqualTo(ElementType.F32);
    assertThat(text(out))
        .containsPattern("merged as float32 \\(bfloat16 would lose \\d+ % of the adapter\\)");
  }

  @Test
  void aMergeThatLosesTheAdapterIsWarnedOfAndFailsVerification() {
    train(Map.of("use_peft", true, "learning_rate", 1e-4));
    merge("merged", Map.of("save_dtype", "bfloat16"));
    assertThat(text(out))
        .containsPattern(
            "warning: rounding to bfloat16 lost \\d\\d+ % of the adapter; pass save_dtype"
                + " float32");

    assertThatThrownBy(() -> merge("verified", Map.of("save_dtype", "bfloat16", "verify", true)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("to 10 % of what the adapter changes")
        .hasMessageMatching(
            ".*; rounding to bfloat16 lost \\d\\d+ % of the adapter; pass save_dtype float32");
    assertThat(folder.resolve("verified")).doesNotExist();
  }

  /** The allowance was 5 % of the largest logit, which no small adapter reaches. */
  @ParameterizedTest
  @CsvSource({"1, 0, 1, true", "0.95, 0, 1, true", "0.8, 0, 1, false", "0, 0, 1, false"})
  void aMergeIsJudgedByWhatTheAdapterChanges(
      double merged, double without, double with, boolean passes) {
    // One logit of 10, and one that the adapter moves by 1e-3.
    float[] on = {10, (float) (1 + 1e-3 * with)};
    float[] off = {10, (float) (1 + 1e-3 * without)};
    float[] result = {10, (float) (1 + 1e-3 * merged)};
    if (passes) {
      MergeRun.verify(on, off, result, "", output(out));
    } else {
      assertThatThrownBy(() -> MergeRun.verify(on, off, result, "", output(out)))
          .isInstanceOf(DpoException.class);
    }
  }

  private void train(Map<String, ?> more) {
    Map<String, Object> options = new HashMap<>(more);
    options.put("model", folder.resolve("base"));
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("eval_file", fixture("pairs32.jsonl"));
    options.put("output_dir", folder.resolve("out"));
    options.put("max_length", 256);
    options.put("max_steps", 3);
    options.put("on_bad_row", "skip");
    options.put("reference_cache", "off");
    TrainingRun.run(TrainingConfig.of(options), output(out));
  }

  private Path merge(String name, Map<String, ?> more) {
    Map<String, Object> options = new HashMap<>(more);
    options.put("model", folder.resolve("base"));
    options.put("adapter", folder.resolve("out"));
    options.put("output_dir", folder.resolve(name));
    MergeRun.run(MergeConfig.of(options), output(out));
    return folder.resolve(name);
  }

  /** Scores the folder that was written, and compares with what the run wrote about it. */
  private void assertReportedIsSaved(@Nullable Path adapter) throws IOException {
    Path scores = folder.resolve("scores.jsonl");
    Map<String, Object> options = new HashMap<>();
    options.put("model", folder.resolve(adapter == null ? "out" : "base"));
    if (adapter != null) {
      options.put("adapter", adapter);
    }
    options.put("ref_model", folder.resolve("base"));
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("on_bad_row", "skip");
    options.put("max_length", 256);
    options.put("output", scores);
    ScoreRun.run(ScoreConfig.of(options), output(out));
    double margin =
        Files.readAllLines(scores).stream()
            .map(line -> JsonMapper.shared().readTree(line))
            .filter(row -> row.has("rewards/margins"))
            .mapToDouble(row -> row.get("rewards/margins").asDouble())
            .average()
            .orElseThrow();
    JsonNode results =
        JsonMapper.shared().readTree(Files.readString(folder.resolve("out/eval_results.json")));
    double reported = results.get("eval_rewards/margins").asDouble();
    // Sums of some hundred log-probabilities in float32, of 1e2 to 1e3: 1e-6 of that, times beta.
    assertThat(margin).isNotZero().isCloseTo(reported, within(2e-5));
    assertThat(Files.readString(folder.resolve("out/README.md"))).contains("saved as");
  }

  private static List<ElementType> type(Path file) {
    SafetensorsFile tensors = SafetensorsFile.open(file);
    return tensors.names().stream()
        .flatMap(name -> tensors.entry(name).elementType().stream())
        .distinct()
        .toList();
  }
}
