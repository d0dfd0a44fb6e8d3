package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: {@code --engine autograd} that does not reach a part of a run, or trains otherwise than
 * the hand-written engine.
 */
class EngineRunTest {

  private final Path folder;

  EngineRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aModelIsTrainedAlikeByBothEngines() throws IOException {
    assertAlike(Map.of("gradient_checkpointing", true, "ld_alpha", 0.5, "use_weighting", true));
    assertAlike(Map.of("loss_type", "sigmoid,sft", "eval_split", 4));
  }

  @Test
  void aMovingReferenceIsComputedAlikeByBothEngines() throws IOException {
    assertAlike(Map.of("sync_ref_model", true, "ref_model_sync_steps", 1, "eval_split", 4));
  }

  @Test
  void anAdapterIsTrainedAlikeByBothEngines() throws IOException {
    assertAlike(Map.of("use_peft", true, "lora_r", 4, "lora_dropout", 0));
  }

  /** Masks come from another stream than the hand-written engine's, but from the run's seed. */
  @Test
  void dropoutUnderAutogradRepeatsWithTheSeed() throws IOException {
    Map<String, Object> dropout =
        Map.of(
            "use_peft",
            true,
            "lora_dropout",
            0.5,
            "disable_dropout",
            false,
            "learning_rate",
            1e-2,
            "engine",
            "autograd");
    List<Double> first = losses(dropout);
    assertThat(losses(dropout)).isEqualTo(first);
    Map<String, Object> other = new HashMap<>(dropout);
    other.put("seed", 7);
    other.put("shuffle", false);
    Map<String, Object> another = new HashMap<>(other);
    another.put("seed", 8);
    assertThat(losses(another)).isNotEqualTo(losses(other));
  }

  @Test
  void aModelForWhichAutogradStandsInSaysSoUnlessAutogradWasAskedFor() throws IOException {
    Path recurrent = RunFixture.family("lfm2", folder);
    String stands =
        "note: the model has short convolutions, which have no hand-written backward pass: the autograd engine"
            + " trains it, slower and with more memory";
    assertThat(header(recurrent, "cpu")).containsOnlyOnce(stands);
    assertThat(header(recurrent, "autograd")).doesNotContain("backward pass");
    assertThat(header(RunFixture.family("gpt_oss", folder), "cpu")).doesNotContain("backward pass");
  }

  private String header(Path model, String engine) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    TrainingRun.run(
        TrainingConfig.of(
            Map.of(
                "model",
                model,
                "data_file",
                fixture("family_trajectories/pairs.jsonl"),
                "output_dir",
                Files.createTempDirectory(folder, "run").resolve("out"),
                "max_length",
                128,
                "max_steps",
                1,
                "engine",
                engine)),
        RunFixture.output(out));
    return RunFixture.text(out);
  }

  /** Log-probabilities in 32 bits agree to 1e-6 of them, and what is logged is of their size. */
  private void assertAlike(Map<String, Object> options) throws IOException {
    List<Double> cpu = losses(options);
    Map<String, Object> more = new HashMap<>(options);
    more.put("engine", "autograd");
    List<Double> autograd = losses(more);
    assertThat(autograd).hasSameSizeAs(cpu).isNotEqualTo(cpu);
    for (int i = 0; i < cpu.size(); i++) {
      double size = Math.max(1, Math.abs(cpu.get(i)));
      assertThat(Math.abs(autograd.get(i) - cpu.get(i)) / size).isLessThan(1e-3);
    }
  }

  /** What was logged, step by step, without times and counts. */
  private List<Double> losses(Map<String, Object> more) throws IOException {
    Map<String, Object> options = new HashMap<>(more);
    Path output = Files.createTempDirectory(folder, "run").resolve("out");
    options.put("model", fixture("models/llama"));
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("output_dir", output);
    options.put("reference_cache", "off");
    options.put("max_length", 128);
    options.put("max_steps", 3);
    options.put("logging_steps", 1);
    options.put("per_device_train_batch_size", 4);
    options.put("threads", 2);
    options.putIfAbsent("learning_rate", 1e-4);
    PrintStream stream = new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8);
    TrainingRun.run(TrainingConfig.of(options), new RunOutput(stream, stream, Progress.NONE));
    Set<String> wanted =
        Set.of("loss", "grad_norm", "logps/chosen", "rewards/margins", "entropy", "eval_loss");
    List<Double> values = new ArrayList<>();
    JsonMapper.shared()
        .readTree(Files.readString(output.resolve("trainer_state.json")))
        .get("log_history")
        .valueStream()
        .flatMap(line -> line.properties().stream())
        .filter(figure -> wanted.contains(figure.getKey()))
        .forEach(figure -> values.add(figure.getValue().asDouble()));
    assertThat(values).hasSizeGreaterThan(10);
    return values;
  }

  private static Path fixture(String name) {
    try {
      return Path.of(
          Objects.requireNonNull(EngineRunTest.class.getResource("/fixtures/" + name), name)
              .toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
