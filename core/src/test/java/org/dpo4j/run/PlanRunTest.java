package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.UsageException;
import org.dpo4j.config.PlanConfig;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.MemorySize;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Closes: a plan of another run than the one that the options describe, or one that misleads. */
class PlanRunTest {

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  PlanRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aPlanSaysWhatTheRunNeeds() throws IOException {
    JsonNode figures = plan(Map.of("max_steps", 5, "memory", "1GB"));

    assertThat(text(out))
        .contains("(llama, 348,480 parameters, 2 blocks; weights float32)")
        .contains("27 of 32 pairs kept")
        .contains("steps: 5 of 8 pairs (8 x 1)")
        .containsPattern("memory, at most \\d+ MB:")
        .containsPattern("Java and libraries +\\d+ MB")
        .contains("up to 8 fit into 1.00 GB: per_device_train_batch_size 8")
        .containsPattern("a step [\\d.e-]+ s \\(forward and backward")
        .containsPattern("the run [\\d.e-]+ s: reference");
    assertThat(figures.get("parameters").asLong()).isEqualTo(348_480);
    assertThat(figures.get("steps").asInt()).isEqualTo(5);
    assertThat(figures.get("memory_bytes").asLong()).isBetween(300_000_000L, 500_000_000L);
    assertThat(figures.get("step_seconds").asDouble()).isPositive();
    assertThat(figures.get("run_seconds").asDouble())
        .isGreaterThan(5 * figures.get("step_seconds").asDouble());
  }

  @Test
  void anAdapterNeedsNoGradientsOfTheModel() throws IOException {
    JsonNode whole = plan(Map.of("trial", false));
    JsonNode adapter = plan(Map.of("use_peft", true, "lora_r", 4));

    // As LoraRunTest derives it.
    assertThat(text(out)).contains("LoRA, 1,792 trained");
    long saved = whole.get("memory_bytes").asLong() - adapter.get("memory_bytes").asLong();
    assertThat(saved).isGreaterThan(12 * 340_000L);
    assertThat(whole.has("step_seconds")).isFalse();
    assertThat(adapter.get("step_seconds").asDouble()).isPositive();
  }

  /** c_attn of 2 blocks: 4 (64 + 192) and a bias of 192 each; as LoraRunTest's run prints it. */
  @Test
  void biasesAreCountedBesideAnAdapter() throws IOException {
    Map<String, Object> options = new HashMap<>();
    options.put("model", RunFixture.model("gpt2", folder));
    options.put("use_peft", true);
    options.put("lora_r", 4);
    options.put("lora_bias", "lora_only");
    options.put("trial", false);
    plan(options);
    assertThat(text(out)).contains("LoRA, 2,432 trained");
  }

  @Test
  void theKlEstimateOfKtoIsCounted() throws IOException {
    plan(Map.of("loss_type", "kto"));
    assertThat(text(out))
        .containsPattern("KL estimate: an example feeds \\d+ more, on average, forward only");
    plan(Map.of("loss_type", "apo_zero_unpaired", "trial", false));
    assertThat(text(out)).doesNotContain("KL estimate");
  }

  @Test
  void whatDoesNotFitIsSaidWithWhatToDo() throws IOException {
    JsonNode figures = plan(Map.of("memory", "100MB"));

    assertThat(figures.get("largest_micro_batch_that_fits").asInt()).isZero();
    assertThat(text(out))
        .contains("more than the 100 MB that there are")
        .contains("none fits into 100 MB; use fewer tokens (max_length)")
        .contains("time: not tried");
  }

  @Test
  void ranksShareAStepAndSumItsGradients() throws IOException {
    JsonNode one = plan(Map.of("trial", false));
    String alone = text(out);
    JsonNode four = plan(Map.of("ranks", 4, "network", 1.0));

    assertThat(one.get("ranks").asInt()).isEqualTo(1);
    assertThat(alone).doesNotContain("rank");
    assertThat(four.get("memory_bytes").asLong())
        .isCloseTo(one.get("memory_bytes").asLong(), withinPercentage(5));
    assertThat(four.get("step_sum_seconds").asDouble())
        .isCloseTo(
            2 * 3 / 4.0 * 4 * one.get("parameters").asLong() * 8 / 0.9e9, withinPercentage(1e-6));
    assertThat(four.get("step_seconds").asDouble())
        .isGreaterThan(
            four.get("step_compute_seconds").asDouble() + four.get("step_sum_seconds").asDouble());
    assertThat(text(out))
        .contains(
            " x 4 ranks)",
            "memory of each rank",
            "for 4 machines",
            "sum of gradients at 1 Gbit/s at most",
            " of 4 times");
    assertThatThrownBy(() -> plan(Map.of("ranks", 0)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("ranks must be a whole number from 1 but was 0");
  }

  @Test
  void accumulationKeepsTheSizeOfAStep() throws IOException {
    JsonNode figures =
        plan(
            Map.of(
                "per_device_train_batch_size",
                2,
                "gradient_accumulation_steps",
                3,
                "trial",
                false));

    assertThat(figures.get("largest_micro_batch_that_fits").asInt()).isEqualTo(6);
    assertThat(text(out))
        .contains("of 6 pairs (2 x 3)")
        .contains("per_device_train_batch_size 6 gradient_accumulation_steps 1");
  }

  @ParameterizedTest
  @CsvSource({"8GB, 8000000000", "7.5 GiB, 8053063680", "512mb, 512000000", "1024, 1024"})
  void memoryIsAnAmountWithAUnit(String text, long bytes) {
    assertThat(MemorySize.parse(text)).isEqualTo(bytes);
  }

  @ParameterizedTest
  @CsvSource({"much", "-1GB", "0", "8GBit", "99999999TB"})
  void otherWordsAreRefused(String text) {
    assertThatThrownBy(() -> MemorySize.parse(text))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("memory must be an amount with its unit, as 8GB");
  }

  @Test
  void aPlanForTheAutogradEngineGivesALowerBoundOfMemory() throws IOException {
    Map<String, Object> recurrent =
        Map.of(
            "model",
            RunFixture.family("lfm2", folder),
            "data_file",
            fixture("family_trajectories/pairs.jsonl"),
            "trial",
            false);
    long saved = plan(recurrent).get("memory_bytes").asLong();
    assertThat(text(out))
        .contains(
            "note: the model has short convolutions, which have no hand-written backward pass")
        .containsPattern("memory, at least \\d+ MB:")
        .contains("and more activations, which the autograd engine saves");
    Map<String, Object> recomputed = new LinkedHashMap<>(recurrent);
    recomputed.put("gradient_checkpointing", true);
    assertThat(plan(recomputed).get("memory_bytes").asLong()).isEqualTo(saved);

    plan(Map.of("engine", "autograd", "trial", false));
    assertThat(text(out)).contains("memory, at least").doesNotContain("no hand-written");
  }

  @Test
  void optionsThatDoNotFitTheModelAreRefusedAsTrainRefusesThem() {
    assertThatThrownBy(() -> plan(Map.of("max_length", 100_000)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("max_length must be at most");
    assertThatThrownBy(() -> plan(Map.of("data_file", folder.resolve("none.jsonl"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("data_file must be");
  }

  private JsonNode plan(Map<String, ?> options) throws IOException {
    Map<String, Object> all =
        new LinkedHashMap<>(
            Map.of(
                "model",
                fixture("models/llama"),
                "data_file",
                fixture("pairs32.jsonl"),
                "max_length",
                128,
                "threads",
                1));
    all.putAll(options);
    Path figures = folder.resolve("figures.json");
    all.put("output", figures);
    Map<String, GivenValue> given = new LinkedHashMap<>();
    all.forEach((name, value) -> given.put(name, GivenValue.of(value)));
    List<String> notices = new ArrayList<>();
    PlanConfig config = PlanConfig.resolve(Map.of(), given, notices::add);
    assertThat(notices).isEmpty();
    out.reset();
    PrintStream stream = new PrintStream(out, true, StandardCharsets.UTF_8);
    PlanRun.run(config, new RunOutput(stream, stream, Progress.NONE));
    return JsonMapper.shared().readTree(Files.readString(figures));
  }
}
