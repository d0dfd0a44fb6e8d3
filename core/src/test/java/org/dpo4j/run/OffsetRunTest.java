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
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: scores in a file that change a run which does not ask for them, or do not change one that
 * does; a run that continues with other scores; a reference that is computed again because of them.
 *
 * <p>The runs have 4 steps of 2 of the 8 pairs of {@code numbered-things}, so that pair i has the
 * margin that the test gives it.
 */
class OffsetRunTest {
  private static final int PAIRS = 8;

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  OffsetRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** The pairs with further fields of each. */
  private Path data(String name, List<String> fields) throws IOException {
    List<String> rows = Files.readAllLines(fixture("numbered-things.jsonl")).subList(0, PAIRS);
    List<String> written = new ArrayList<>();
    for (int i = 0; i < PAIRS; i++) {
      String more = fields.isEmpty() ? "" : ", " + fields.get(i);
      written.add(rows.get(i).replaceFirst("}\\s*$", more + "}"));
    }
    return Files.write(folder.resolve(name), written);
  }

  private Path margins(String name, IntToDoubleFunction margin) throws IOException {
    List<String> fields = new ArrayList<>();
    for (int i = 0; i < PAIRS; i++) {
      fields.add("\"margin\": " + margin.applyAsDouble(i));
    }
    return data(name, fields);
  }

  /** Scores of which the chosen one is higher by a gap. */
  private Path scores(String name, IntToDoubleFunction gap) throws IOException {
    List<String> fields = new ArrayList<>();
    for (int i = 0; i < PAIRS; i++) {
      fields.add("\"score_chosen\": %s, \"score_rejected\": 1".formatted(1 + gap.applyAsDouble(i)));
    }
    return data(name, fields);
  }

  private TrainingResult train(String name, Path data, Map<String, ?> more) {
    return TrainingRun.run(config(name, data, more), output(out));
  }

  private TrainingConfig config(String name, Path data, Map<String, ?> more) {
    Map<String, Object> options = new HashMap<>();
    options.put("model", fixture("models/llama"));
    options.put("data_file", data);
    options.put("output_dir", folder.resolve(name));
    options.put("loss_type", "odpo");
    options.put("beta", 0.5);
    options.put("max_length", 256);
    options.put("max_steps", 4);
    options.put("per_device_train_batch_size", 2);
    options.put("learning_rate", 1e-3);
    options.put("lr_scheduler_type", "constant");
    options.put("logging_steps", 1);
    options.put("shuffle", false);
    options.put("threads", 1);
    options.put("sample_prompts", 0);
    options.putAll(more);
    return TrainingConfig.of(options);
  }

  private byte[] weights(String name) throws IOException {
    return Files.readAllBytes(folder.resolve(name).resolve("model.safetensors"));
  }

  /** The first loss of a pair is -log sigma(0 - alpha m) = ln(1 + e^(alpha m)). */
  @Test
  void theFirstLossIsThatOfTheOffsetsOfItsPairs() throws IOException {
    Path data = scores("d.jsonl", i -> i == 0 ? 3 : 8);
    double first = train("a", data, Map.of("odpo_alpha", 0.5)).reports().get(0).metrics().loss();
    // alpha ln 3 and alpha ln 8: sqrt(3) and sqrt(8)
    assertThat(first)
        .isCloseTo((Math.log(1 + Math.sqrt(3)) + Math.log(1 + Math.sqrt(8))) / 2, within(1e-5));
    assertThat(text(out))
        .contains(
            "loss: odpo, beta 0.5, odpo alpha 0.5",
            "the offset from \"score_chosen\" and \"score_rejected\"",
            "start check skipped: the first loss depends on the pairs");
    assertThat(Files.readString(folder.resolve("a/README.md")))
        .contains("Direct Preference Optimization with an Offset (ODPO)", "arXiv 2402.10571");
  }

  /** Accumulation cuts a step into micro-batches of one pair, each with the offset of its pair. */
  @Test
  void theCutIntoMicroBatchesChangesNoLoss() throws IOException {
    Path data = margins("d.jsonl", i -> i / 2.0 - 1);
    Map<String, Object> evaluated = Map.of("eval_file", data, "eval_strategy", "epoch");
    Map<String, Object> cut = new HashMap<>(evaluated);
    cut.put("per_device_train_batch_size", 1);
    cut.put("per_device_eval_batch_size", 3);
    cut.put("gradient_accumulation_steps", 2);
    TrainingResult whole = train("whole", data, evaluated);
    TrainingResult parts = train("cut", data, cut);
    for (int i = 0; i < 4; i++) {
      assertThat(parts.reports().get(i).metrics().loss())
          .isCloseTo(whole.reports().get(i).metrics().loss(), within(1e-4));
    }
    // ln(1 + e^m), over all pairs, before training
    double sum = 0;
    for (int i = 0; i < PAIRS; i++) {
      sum += Math.log1p(Math.exp(i / 2.0 - 1));
    }
    for (TrainingResult result : List.of(whole, parts)) {
      assertThat(result.initialEvaluation().orElseThrow().metrics().loss())
          .isCloseTo(sum / PAIRS, within(1e-5));
    }
  }

  @Test
  void offsetsOfZeroTrainTheModelOfDpoToTheLastBit() throws IOException {
    train("dpo", data("plain.jsonl", List.of()), Map.of("loss_type", "sigmoid"));
    train("none", margins("zero.jsonl", i -> 0), Map.of());
    train("alpha", margins("some.jsonl", i -> i), Map.of("odpo_alpha", 0));
    train("some", margins("some.jsonl", i -> i), Map.of());
    assertThat(weights("none")).isEqualTo(weights("dpo"));
    assertThat(weights("alpha")).isEqualTo(weights("dpo"));
    assertThat(weights("some")).isNotEqualTo(weights("dpo"));
  }

  /** Other losses have not read these columns before, whatever is in them. */
  @Test
  void scoresChangeNothingInARunThatDoesNotAskForThem() throws IOException {
    Map<String, Object> sigmoid = Map.of("loss_type", "sigmoid", "save_steps", 2);
    train("plain", data("plain.jsonl", List.of()), sigmoid);
    Path scored = scores("scored.jsonl", i -> -1); // no offset is defined
    train("scored", scored, sigmoid);
    assertThat(weights("scored")).isEqualTo(weights("plain"));
    String inputs = "\"the training data\"\\s*:\\s*\"[0-9a-f]{64}\"";
    assertThat(found(inputs, "scored")).isEqualTo(found(inputs, "plain"));
    // So that a run can continue on the same pairs with scores.
    train(
        "more",
        scored,
        Map.of(
            "loss_type",
            "sigmoid",
            "resume_from_checkpoint",
            folder.resolve("plain/checkpoint-2")));
    assertThat(weights("more")).isEqualTo(weights("plain"));
  }

  private String found(String pattern, String run) throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve(run).resolve("checkpoint-2"))) {
      for (Path file : files.filter(path -> path.toString().endsWith(".json")).toList()) {
        var match = java.util.regex.Pattern.compile(pattern).matcher(Files.readString(file));
        if (match.find()) {
          return match.group();
        }
      }
    }
    throw new AssertionError("no " + pattern);
  }

  /** With the gaps of two pairs exchanged, the other one ends with the bigger margin. */
  @Test
  void thePairWithTheBiggerGapEndsWithTheBiggerMargin() throws IOException {
    for (Map<String, Object> kind :
        List.<Map<String, Object>>of(
            Map.of(), Map.of("use_peft", true, "lora_r", 4), Map.of("bf16", true))) {
      double first = lead("first", scores("first.jsonl", i -> i % 2 == 0 ? 20 : 1), kind);
      double second = lead("second", scores("second.jsonl", i -> i % 2 == 0 ? 1 : 20), kind);
      assertThat(first - second).as("%s", kind).isGreaterThan(1);
    }
  }

  /** By how much the reward margins of the even pairs exceed those of the odd ones at the end. */
  private double lead(String name, Path data, Map<String, Object> more) {
    Map<String, Object> options = new HashMap<>(more);
    options.put("per_device_train_batch_size", 1);
    options.put("max_steps", 15 * PAIRS);
    options.put("learning_rate", more.containsKey("use_peft") ? 1e-2 : 1e-3);
    options.put("overwrite_output_dir", true);
    List<StepReport> reports = train(name, data, options).reports();
    double lead = 0;
    for (StepReport report : reports.subList(14 * PAIRS, 15 * PAIRS)) {
      double margin = report.metrics().rewardsMargins();
      lead += report.step() % 2 == 1 ? margin : -margin; // step 1 is of pair 0
    }
    return lead / (PAIRS / 2.0);
  }

  @Test
  void aRunContinuesWithTheSameOffsetsAndNoOthers() throws IOException {
    Path data = scores("d.jsonl", i -> i + 1);
    train("whole", data, Map.of("save_steps", 2));
    Map<String, Object> resume =
        Map.of("resume_from_checkpoint", folder.resolve("whole/checkpoint-2"));
    train("same", scores("same.jsonl", i -> i + 1), resume);
    assertThat(weights("same")).isEqualTo(weights("whole"));
    assertThatThrownBy(
            () -> train("other", scores("other.jsonl", i -> i == 7 ? 8.5 : i + 1), resume))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("the training data differs");
    Map<String, Object> alpha = new HashMap<>(resume);
    alpha.put("odpo_alpha", 0.5);
    assertThatThrownBy(() -> train("other", data, alpha))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("odpo_alpha was 1 and is now 0.5");
    VerifyResumeRun.run(config("verified", data, Map.of()), output(out));
  }

  @Test
  void theReferenceOfOtherOffsetsIsReadFromTheCache() throws IOException {
    Map<String, Object> cached = Map.of("reference_cache", folder.resolve("cache"));
    train("a", scores("a.jsonl", i -> i + 1), cached);
    assertThat(text(out)).contains("8 training pairs computed and kept");
    out.reset();
    train("b", scores("b.jsonl", i -> 9 - i), cached);
    assertThat(text(out)).contains("8 training pairs read from");
  }

  @Test
  void rowsWithoutAnOffsetHaveTheFateOfBadRows() throws IOException {
    Path data = scores("d.jsonl", i -> i == 3 ? 0 : 2);
    assertThatThrownBy(() -> train("stop", data, Map.of()))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(
            ":4] score_chosen that is not above score_rejected: they are 1.0 and 1, and the offset");
    TrainingResult result =
        train("skip", data, Map.of("on_bad_row", "skip", "num_train_epochs", 1, "max_steps", -1));
    assertThat(result.examplesSeen()).isEqualTo(7);
  }

  @Test
  void everyFileOfAMixtureAndTheHeldOutOneMustHaveTheColumns() throws IOException {
    Path scored = scores("scored.jsonl", i -> 2);
    Path margins = margins("margins.jsonl", i -> 2);
    Path plain = data("plain.jsonl", List.of());
    // Each file has its own columns.
    train("both", scored, Map.of("data_file", List.of(scored, margins), "max_steps", 1));
    String problem =
        "[%s:1] loss_type odpo needs a column \"margin\", or \"score_chosen\" and".formatted(plain);
    assertThatThrownBy(
            () ->
                train(
                    "mixture",
                    plain,
                    Map.of("data_file", List.of(scored, plain), "data_weights", "1,1")))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(problem);
    assertThatThrownBy(() -> train("held", scored, Map.of("eval_file", plain)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(problem);
  }

  /** sigma = 1/2 at the start: ln(1 + e^m) + 2 x the mean of -log p over the chosen tokens. */
  @Test
  void itCombinesWithOtherLosses() throws IOException {
    Path data = margins("d.jsonl", i -> 3);
    Map<String, Object> both = Map.of("loss_type", "odpo,sft", "loss_weights", "1,2");
    double combined = train("both", data, both).reports().get(0).metrics().loss();
    double sft = train("sft", data, Map.of("loss_type", "sft")).reports().get(0).metrics().loss();
    assertThat(combined).isCloseTo(Math.log1p(Math.exp(3)) + 2 * sft, within(1e-4));
  }
}
