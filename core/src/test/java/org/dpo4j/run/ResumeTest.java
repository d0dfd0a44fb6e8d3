package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.suspending;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.EndReason;
import org.dpo4j.EvaluationReport;
import org.dpo4j.SavedCheckpoint;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.Sha256;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: a run that, once interrupted, ends with other numbers, or is lost. {@code
 * -Ddpo4j.resume.stride=1} continues from every checkpoint, not from every third.
 */
class ResumeTest {

  /** Four steps are an epoch. */
  private static final int STEPS = 7;

  /** After the first step, the end of an epoch, and the last step. */
  private static final int STRIDE = Integer.getInteger("dpo4j.resume.stride", 3);

  /** Times differ from run to run. */
  private static final Set<String> TIMES =
      Set.of(
          "step_time",
          "step_compute_time",
          "eval_runtime",
          "eval_samples_per_second",
          "train_runtime",
          "reference_runtime",
          "train_samples_per_second",
          "train_steps_per_second");

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  ResumeTest(@TempDir Path folder) {
    this.folder = folder;
  }

  static Stream<Arguments> kinds() {
    return Stream.of(
        kind("full", Map.of()),
        kind("accumulation", Map.of("gradient_accumulation_steps", 3, "max_grad_norm", 0.1)),
        kind("bf16", Map.of("bf16", true, "save_dtype", "bfloat16")),
        kind("moving reference", Map.of("sync_ref_model", true, "ref_model_sync_steps", 2)),
        kind(
            "moving adapter",
            Map.of(
                "use_peft",
                true,
                "lora_modules_to_save",
                "input_layernorm",
                "sync_ref_model",
                true,
                "ref_model_sync_steps",
                2)),
        kind(
            "DoRA",
            Map.of(
                "use_peft", true,
                "use_dora", true,
                "disable_dropout", false,
                "lora_dropout", 0.5,
                "sync_ref_model", true,
                "ref_model_sync_steps", 2)),
        kind(
            "adapter of a tied table",
            Map.of(
                "use_peft", true,
                "lora_target_modules", "embed_tokens,q_proj",
                "lora_ensure_weight_tying", true,
                "disable_dropout", false,
                "lora_dropout", 0.5,
                "sync_ref_model", true,
                "ref_model_sync_steps", 2)),
        kind("moments in bfloat16", Map.of("optim", "adamw_bf16_moments")),
        kind(
            "adapter with dropout",
            Map.of("use_peft", true, "disable_dropout", false, "lora_dropout", 0.5, "lora_r", 4)),
        kind(
            "adapter and a module in full",
            Map.of(
                "use_peft", true,
                "lora_modules_to_save", "input_layernorm",
                "bf16", true)),
        kind(
            "held-out pairs",
            Map.of("eval_split", 5, "eval_strategy", "steps", "eval_steps", 2, "loss_type", "ipo")),
        kind(
            "labelled completions",
            Map.of(
                "loss_type",
                "kto",
                "data_file",
                fixture("completions/kto_messages.jsonl"),
                "per_device_train_batch_size",
                3,
                "eval_split",
                5,
                "eval_strategy",
                "steps",
                "eval_steps",
                2)),
        kind(
            "packed demonstrations",
            Map.of(
                "loss_type",
                "nll",
                "data_file",
                fixture("completions/sft_messages.jsonl"),
                "packing",
                true,
                "per_device_train_batch_size",
                2)),
        kind(
            "best checkpoint",
            Map.of(
                "eval_split",
                5,
                "eval_strategy",
                "steps",
                "eval_steps",
                1,
                "load_best_model_at_end",
                true,
                "metric_for_best_model",
                "rewards/accuracies",
                "early_stopping_patience",
                3)));
  }

  private static Arguments kind(String name, Map<String, Object> options) {
    return Arguments.of(name, options);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("kinds")
  void aRunContinuesFromItsCheckpointsWithTheBytesOfOneWithoutABreak(
      String name, Map<String, Object> options) throws IOException {
    Map<String, Object> saving = new LinkedHashMap<>(options);
    saving.put("save_steps", 1);
    saving.put("save_total_limit", 0);
    TrainingResult whole = train("whole", saving);
    assertThat(whole.endReason()).isIn(EndReason.COMPLETED, EndReason.STOPPED_EARLY);
    Map<String, String> expected = weights("whole");
    for (int step = 1; step <= whole.steps(); step += STRIDE) {
      Map<String, Object> continued = new LinkedHashMap<>(options);
      continued.put("resume_from_checkpoint", folder.resolve("whole/checkpoint-" + step));
      if (options.containsKey("load_best_model_at_end")) {
        // The best checkpoint may be older, and lies in the folder of the first run.
        String copy = "copy" + step;
        copy(folder.resolve("whole"), folder.resolve(copy), step);
        continued.put("resume_from_checkpoint", true);
        continued.put("save_steps", 1);
        continued.put("save_total_limit", 0);
        train(copy, continued);
        assertSame(copy, expected);
      } else {
        train("from" + step, continued);
        assertSame("from" + step, expected);
      }
    }
  }

  private void assertSame(String run, Map<String, String> expected) throws IOException {
    assertThat(weights(run)).as(run).isEqualTo(expected);
    assertThat(metrics(run)).as(run).isEqualTo(metrics("whole"));
    assertThat(log(run)).as(run).isEqualTo(log("whole"));
  }

  @Test
  void aSuspendedRunSavesACheckpointAndContinuesAsIfNothingHadHappened() throws IOException {
    Map<String, Object> options =
        Map.of("eval_split", 5, "eval_strategy", "steps", "eval_steps", 3, "logging_steps", 2);
    train("whole", options);
    Cancellation cancellation = new Cancellation();
    List<Integer> saved = new ArrayList<>();
    TrainingListener saving =
        new TrainingListener() {
          @Override
          public void onCheckpoint(SavedCheckpoint checkpoint) {
            saved.add(checkpoint.step());
          }
        };
    // An evaluation is due at this step, and a report is not.
    TrainingListener suspending = suspending(cancellation, 3);
    TrainingResult suspended = run("out", options, cancellation, suspending, saving);
    assertThat(suspended.endReason()).isEqualTo(EndReason.SUSPENDED);
    assertThat(suspended.files()).isEmpty();
    assertThat(saved).containsExactly(3);
    assertThat(names("out")).containsExactly("checkpoint-3", "ledger.jsonl", "metrics.jsonl");
    assertThat(text(out))
        .contains("interrupted after 3 of 7 steps")
        .contains("saved as " + folder.resolve("out/checkpoint-3"))
        .contains("repeat the command with resume_from_checkpoint true");

    assertThatThrownBy(() -> train("out", options))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("holds checkpoints of a run")
        .hasMessageContaining("resume_from_checkpoint");

    Map<String, Object> continued = new LinkedHashMap<>(options);
    continued.put("resume_from_checkpoint", true);
    TrainingResult result = train("out", continued);
    assertThat(result.endReason()).isEqualTo(EndReason.COMPLETED);
    assertThat(text(out)).contains("continues from").contains("after 3 of 7 steps");
    assertSame("out", weights("whole"));
  }

  @Test
  void aRunWithoutCheckpointsThatIsSuspendedLeavesNothing() throws IOException {
    Cancellation cancellation = new Cancellation();
    run("out", Map.of("save_strategy", "no"), cancellation, suspending(cancellation, 1));
    assertThat(text(out)).contains("no checkpoint was saved, since save_strategy is no");
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void withoutACheckpointTheCommandThatContinuesStarts() throws IOException {
    TrainingResult result = train("out", Map.of("resume_from_checkpoint", true));
    assertThat(result.steps()).isEqualTo(STEPS);
    assertThat(text(out)).contains("has no checkpoint, so the run starts at its first step");
  }

  @Test
  void theNewestCheckpointThatIsWholeIsUsedAndADamagedOneNamed() throws IOException {
    Map<String, Object> options = Map.of("save_steps", 2, "save_total_limit", 0);
    train("whole", options);
    Path newest = folder.resolve("whole/checkpoint-6");
    flip(newest.resolve("optimizer.safetensors"));
    Map<String, Object> continued = new LinkedHashMap<>(options);
    continued.put("resume_from_checkpoint", newest);
    assertThatThrownBy(() -> train("other", continued))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("checkpoint-6] the checkpoint is damaged: optimizer.safetensors does")
        .hasMessageContaining("pass resume_from_checkpoint true");

    Map<String, String> expected = weights("whole");
    continued.put("resume_from_checkpoint", true);
    train("whole", continued);
    assertThat(text(out))
        .contains("checkpoint-6] the checkpoint is damaged")
        .contains("continues from %s, after 4 of 7 steps".formatted(path("whole/checkpoint-4")));
    assertThat(weights("whole")).isEqualTo(expected);
  }

  @Test
  void aLongerRunTellsWhatItDoesToTheLearningRate() throws IOException {
    train("out", Map.of("save_steps", 3));
    // Linear from 1e-3: after 6 of 7 steps 1/7 of it is left, after 6 of 14 steps 8/14.
    train("out", Map.of("save_steps", 3, "resume_from_checkpoint", true, "max_steps", 14));
    assertThat(text(out))
        .contains(
            "the run was planned for 7 steps and is now for 14; step 7 has a learning rate of"
                + " 0.000571, where the shorter or longer schedule had 0.000143");
    assertThat(log("out")).hasSize(15);
  }

  /** A decay of two steps at the end of 7: steps 6 and 7 have 1 and half of 1e-3. */
  @Test
  void aLongerRunTellsWhenALearningRateThatStaysWillDiffer() throws IOException {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("save_steps", 3);
    options.put("save_total_limit", 0);
    options.put("lr_scheduler_type", "warmup_stable_decay");
    options.put("lr_scheduler_kwargs", Map.of("num_decay_steps", 2));
    train("short", options);
    options.put("resume_from_checkpoint", folder.resolve("short/checkpoint-3"));
    options.put("max_steps", 10);
    train("long", options);
    assertThat(text(out))
        .contains(
            "the run was planned for 7 steps and is now for 10; the learning rate stays as it was"
                + " until step 6, and step 7 has a learning rate of 0.00100, where the shorter or"
                + " longer schedule had 0.000500");
    options.put("lr_scheduler_kwargs", Map.of("num_decay_steps", 3));
    assertThatThrownBy(() -> train("other", options))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(
            "lr_scheduler_kwargs was {\"num_decay_steps\": 2} and is now {\"num_decay_steps\": 3}");
  }

  @Test
  void anotherRunIsRefusedByTheNameOfWhatDiffers() throws IOException {
    train("whole", Map.of("save_steps", 3));
    Map<Map<String, Object>, String> cases = new LinkedHashMap<>();
    cases.put(Map.of("beta", 0.2), "beta was 0.5 and is now 0.2");
    cases.put(Map.of("seed", 7), "seed was 42 and is now 7");
    cases.put(Map.of("loss_type", "ipo"), "loss_type was [sigmoid] and is now [ipo]");
    cases.put(Map.of("use_peft", true), "use_peft was false and is now true");
    cases.put(Map.of("model", otherModel()), "model must be what the run");
    cases.put(Map.of("eval_split", 3), "eval_split must be what the run in");
    cases.put(Map.of("max_length", 100), "max_length must be what the run in");
    cases.put(Map.of("max_samples", 20), "had but was 0 and is now 20; pass the same, or start");
    cases.put(
        Map.of("max_samples", 20, "max_length", 100),
        "had but was 0 and is now 20, and max_length was");
    cases.put(Map.of("max_steps", 3), "max_steps must not end before the checkpoint, at step 6");
    for (Map.Entry<Map<String, Object>, String> other : cases.entrySet()) {
      Map<String, Object> options = new LinkedHashMap<>(other.getKey());
      options.put("resume_from_checkpoint", folder.resolve("whole/checkpoint-6"));
      assertThatThrownBy(() -> train("other", options))
          .as(other.getValue())
          .isInstanceOf(UsageException.class)
          .hasMessageContaining(other.getValue());
      assertThat(folder.resolve("other")).doesNotExist();
    }
  }

  @Test
  void aModelAloneCannotBeContinued() throws IOException {
    train("whole", Map.of("save_steps", 3, "save_only_model", true));
    assertThat(names("whole/checkpoint-6"))
        .contains("model.safetensors", "trainer_state.json", "SHA256SUMS")
        .doesNotContain("optimizer.safetensors", "dpo4j_state.json");
    for (Object from : List.of(true, folder.resolve("whole/checkpoint-6"))) {
      assertThatThrownBy(() -> train("whole", Map.of("resume_from_checkpoint", from)))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("save_only_model");
    }
  }

  @Test
  void onlyTheNewestCheckpointsAndTheBestAreKept() throws IOException {
    train("out", Map.of("save_steps", 1, "save_total_limit", 2));
    assertThat(checkpoints("out")).containsExactly("checkpoint-6", "checkpoint-7");
    train("epochs", Map.of("save_strategy", "epoch", "save_total_limit", 0));
    assertThat(checkpoints("epochs")).containsExactly("checkpoint-4"); // 32 pairs, 8 a step
    // Accuracy is 0 at first and cannot fall below; smaller is better, so the first one stays.
    train(
        "best",
        Map.of(
            "eval_split",
            5,
            "eval_strategy",
            "steps",
            "eval_steps",
            1,
            "save_steps",
            1,
            "save_total_limit",
            1,
            "metric_for_best_model",
            "eval_entropy",
            "load_best_model_at_end",
            true,
            "greater_is_better",
            true));
    ObjectNode state = json(folder.resolve("best/trainer_state.json"));
    int best = state.get("best_global_step").intValue();
    assertThat(checkpoints("best")).contains("checkpoint-" + best, "checkpoint-7");
    assertThat(state.get("best_model_checkpoint").stringValue())
        .isEqualTo(path("best/checkpoint-" + best));
  }

  @Test
  void theBestWeightsAreSavedAndReportedWithTheirStep() throws IOException {
    TrainingResult result =
        train(
            "out",
            Map.of(
                "eval_split",
                5,
                "eval_strategy",
                "steps",
                "eval_steps",
                1,
                "save_strategy",
                "best",
                "save_total_limit",
                0,
                "save_dtype",
                "float32",
                "load_best_model_at_end",
                true,
                "metric_for_best_model",
                "logps/chosen", // falls at a rate this high
                "learning_rate",
                0.05));
    ObjectNode state = json(folder.resolve("out/trainer_state.json"));
    int best = state.get("best_global_step").intValue();
    assertThat(best).isLessThan(STEPS);
    assertThat(folder.resolve("out/model.safetensors"))
        .hasSameBinaryContentAs(
            folder.resolve("out/checkpoint-%d/model.safetensors".formatted(best)));
    assertThat(json(folder.resolve("out/eval_results.json")).get("eval_logps/chosen").doubleValue())
        .isEqualTo(state.get("best_metric").doubleValue());
    assertThat(state.get("best_model_checkpoint").stringValue())
        .isEqualTo(path("out/checkpoint-" + best));
    EvaluationReport last = result.finalEvaluation().orElseThrow();
    assertThat(last.step()).isEqualTo(best);
    EvaluationReport then =
        result.evaluations().stream().filter(e -> e.step() == best).findFirst().orElseThrow();
    assertThat(last.epoch()).isEqualTo(then.epoch());
    assertThat(last.metrics()).isEqualTo(then.metrics());
    assertThat(json(folder.resolve("out/eval_results.json")).get("epoch").doubleValue())
        .isEqualTo(then.epoch());
    assertThat(text(out))
        .containsPattern(
            "the weights of checkpoint-%d are saved, since its eval_logps/chosen was the best \\(-"
                .formatted(best));
    assertThat(text(out).lines().filter(line -> line.startsWith("eval ")).toList())
        .last()
        .asString()
        .matches("eval +%d/%d .*".formatted(best, STEPS));
    assertThat(Files.readString(folder.resolve("out/README.md")))
        .contains("before training and after step %d.".formatted(best));
  }

  @Test
  void aRunThatDoesNotImproveStopsEarly() throws IOException {
    TrainingResult result =
        train(
            "out",
            Map.of(
                "eval_split", 5,
                "eval_strategy", "steps",
                "eval_steps", 1,
                "early_stopping_patience", 2,
                "early_stopping_threshold", 1e9));
    // The first evaluation is the best so far; the two after it are no improvement of 1e9.
    assertThat(result.endReason()).isEqualTo(EndReason.STOPPED_EARLY);
    assertThat(result.steps()).isEqualTo(3);
    assertThat(text(out)).contains("stopped early: eval_loss did not improve in 2 evaluations");
  }

  private TrainingResult train(String name, Map<String, Object> options) {
    return run(name, options, new Cancellation());
  }

  private TrainingResult run(
      String name,
      Map<String, Object> options,
      Cancellation cancellation,
      TrainingListener... listeners) {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve(name));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("beta", 0.5);
    all.put("learning_rate", 1e-3);
    all.put("max_steps", STEPS);
    all.put("logging_steps", 1);
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 128);
    all.putAll(options);
    return TrainingRun.run(
        TrainingConfig.of(all), ProgramInputs.NONE, output(out), cancellation, List.of(listeners));
  }

  private String path(String name) throws IOException {
    return folder.toRealPath().resolve(name).toString();
  }

  private Map<String, String> weights(String run) throws IOException {
    Map<String, String> weights = new TreeMap<>();
    for (String name : names(run)) {
      if (name.endsWith(".safetensors")) {
        weights.put(name, Sha256.of(folder.resolve(run).resolve(name)));
      }
    }
    assertThat(weights).isNotEmpty();
    return weights;
  }

  private List<ObjectNode> metrics(String run) throws IOException {
    return Files.readAllLines(folder.resolve(run).resolve("metrics.jsonl")).stream()
        .map(line -> (ObjectNode) JsonMapper.shared().readTree(line))
        .map(entry -> entry.remove(TIMES))
        .toList();
  }

  private List<ObjectNode> log(String run) throws IOException {
    List<ObjectNode> log = new ArrayList<>();
    json(folder.resolve(run).resolve("trainer_state.json"))
        .get("log_history")
        .forEach(entry -> log.add(((ObjectNode) entry).remove(TIMES)));
    return log;
  }

  private static ObjectNode json(Path file) throws IOException {
    return (ObjectNode) JsonMapper.shared().readTree(Files.readString(file));
  }

  private Set<String> checkpoints(String run) throws IOException {
    Set<String> names = new TreeSet<>(names(run));
    names.removeIf(name -> !name.startsWith("checkpoint-"));
    return names;
  }

  private List<String> names(String run) throws IOException {
    try (Stream<Path> entries = Files.list(folder.resolve(run))) {
      return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
    }
  }

  /** The checkpoints of a run until a step. */
  private void copy(Path from, Path to, int lastStep) throws IOException {
    for (int step = 1; step <= lastStep; step++) {
      Path source = from.resolve("checkpoint-" + step);
      Path target = Files.createDirectories(to.resolve("checkpoint-" + step));
      try (Stream<Path> files = Files.list(source)) {
        for (Path file : files.toList()) {
          Files.copy(file, target.resolve(file.getFileName()));
        }
      }
    }
  }

  private Path otherModel() throws IOException {
    Path other = Files.createDirectory(folder.resolve("model"));
    try (Stream<Path> files = Files.list(fixture("models/llama"))) {
      for (Path file : files.toList()) {
        Files.copy(file, other.resolve(file.getFileName()));
      }
    }
    flip(other.resolve("model.safetensors"));
    return other;
  }

  private static void flip(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
  }
}
