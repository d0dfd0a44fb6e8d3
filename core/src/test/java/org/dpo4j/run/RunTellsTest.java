package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
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
import java.util.stream.Stream;
import org.dpo4j.ExampleKind;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.demo.DemoConfig;
import org.dpo4j.demo.DemoRun;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Closes: a run from whose output a person cannot tell what it did. */
class RunTellsTest {
  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  RunTellsTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aRunPrintsATableAndSaysAtTheEndWhatItDid() throws IOException {
    train("tuned", Map.of("eval_split", 4, "logging_steps", 1));
    List<String> lines = text(out).lines().toList();
    int head =
        lines.indexOf(
            lines.stream().filter(l -> l.contains("reward margin")).findFirst().orElseThrow());
    // The check of the start comes before the table, not in the middle of it.
    assertThat(lines.get(head - 1))
        // Rounding of the model decides the last digit.
        .matches("start check passed: initial loss 0\\.693[12] \\(expected 0\\.6931\\)");
    assertThat(lines.get(head + 1)).matches("eval +0/4 +0\\.693[12] +[+-]0\\.000 +-");
    assertThat(lines.get(head + 2)).matches("train +1/4 +0\\.693[12] +[+-]0\\.000 +- .* \\S+ s");
    assertThat(lines.subList(head, head + 7))
        .allSatisfy(row -> assertThat(row.length()).isLessThan(100));
    assertThat(text(out))
        .contains("done: 4 steps in ", "  training loss 0.6931 -> ")
        .containsPattern("  4 held-out pairs: loss 0\\.693[12]\\d* -> ")
        .contains("change of the log-probability of held-out pairs: chosen ")
        .contains("reference: a frozen copy of the start model (weights sha256 6972034bea06)\n")
        // Of 32 rows 5 have a prompt that is too long, and 4 are held out: 23 pairs are 12 steps.
        .contains("\n4 steps of 2 pairs; 12 steps are one epoch; learning rate 1e-4, linear\n")
        .contains("\nwill be saved as float32\n")
        .contains("written to " + folder.resolve("tuned"))
        .doesNotContain("{'");
    try (Stream<Path> files = Files.list(folder.resolve("tuned"))) {
      assertThat(files.map(file -> String.valueOf(file.getFileName())))
          .contains("curves.png", "curves.svg", "README.md", "trainer_state.json")
          .contains("train_results.json", "eval_results.json", "all_results.json", "dpo4j.yaml");
    }
    // For scripts TRL's value stays: the ties of the start are wrong.
    JsonNode log =
        JsonMapper.shared()
            .readTree(Files.readString(folder.resolve("tuned/trainer_state.json")))
            .get("log_history");
    assertThat(log.get(0).get("eval_rewards/accuracies").doubleValue()).isZero();
    assertThat(Files.readString(folder.resolve("tuned/curves.svg")))
        .contains("tuned: llama tuned with sigmoid, beta 0.1")
        // Of 32 rows 5 have a prompt that is too long, and 4 are held out.
        .contains("23 pairs, 4 steps of 2, learning rate 1e-4 linear");
  }

  @Test
  void theCardHasAnswersBeforeAndAfterWhichChangeNoByteOfTheModel() throws IOException {
    train("with", Map.of("sample_prompts", 2, "learning_rate", 0.01));
    train("without", Map.of("sample_prompts", 0, "learning_rate", 0.01));
    String card = Files.readString(folder.resolve("with/README.md"));
    assertThat(card).contains("To the first prompts of the training pairs");
    String[] parts = card.split("\nBefore:\n", -1);
    assertThat(parts).hasSize(3);
    // So large a rate changes what the model says.
    String[] answers = parts[1].split("\nAfter:\n", -1);
    assertThat(answers[0].strip()).isNotEqualTo(answers[1].split("\n---\n", 2)[0].strip());
    assertThat(Files.readString(folder.resolve("without/README.md")))
        .doesNotContain("## Sample answers");
    assertThat(folder.resolve("without/model.safetensors"))
        .hasBinaryContent(Files.readAllBytes(folder.resolve("with/model.safetensors")));
  }

  @Test
  void theCardNamesNoFolderOfTheMachineAndOnlyWhatDiffersFromTheDefaults() throws IOException {
    train("tuned", Map.of("learning_rate", 0.01, "beta", 0.1));
    String card = Files.readString(folder.resolve("tuned/README.md"));
    assertThat(card)
        .doesNotContain(folder.toString(), fixture("models").toString())
        .contains(
            "| learning_rate | 0.01 |",
            "| max_steps | 4 |",
            "4 steps of 2 pairs with the loss sigmoid, beta 0.1")
        .doesNotContain("| beta |", "simpo_gamma", "dpop_lambda", "| output_dir |", "| threads |")
        .contains("dpo4j generate --model . --prompt");
  }

  @Test
  void jsonLinesStandAloneOnStandardOutput() throws IOException {
    train("tuned", Map.of("eval_split", 4, "logging_steps", 2, "log_format", "json"));
    List<JsonNode> lines = text(out).lines().map(JsonMapper.shared()::readTree).toList();
    // Before the first step, two times two steps, after the last, and the totals.
    assertThat(lines).hasSize(5);
    assertThat(lines)
        .extracting(line -> line.get("step").intValue())
        .containsExactly(0, 2, 4, 4, 4);
    assertThat(lines.get(1).get("rewards/margins").isNumber()).isTrue();
    assertThat(text(err)).contains("model: ", "start check passed", "done: 4 steps");
  }

  @Test
  void dictLinesAreThoseOfTrl() throws IOException {
    train("tuned", Map.of("logging_steps", 2, "log_format", "dict"));
    assertThat(text(out))
        .contains("\n{'loss': 0.", "'rewards/accuracies': ", "\n{'train_runtime': ")
        .doesNotContain("time left");
  }

  @Test
  void aRateThatBreaksTheModelIsAWarningAtTheEndAndInTheCard() throws IOException {
    train("tuned", Map.of("learning_rate", 10));
    String warning = "the training loss ended above its start (0.6931 -> ";
    assertThat(text(err)).contains("warning: " + warning, "(it was 10.0)");
    assertThat(Files.readString(folder.resolve("tuned/README.md")))
        .contains("## Warnings of the run\n\n- the training loss ended above its start");
    // It stands at the end already; the list there is of what was said before the first step.
    assertThat(text(err)).containsOnlyOnce(warning).doesNotContain("earlier warnings");
  }

  @Test
  void warningsFromBeforeTrainingAreRepeatedAtTheEndAndOthersAreNot() throws IOException {
    Path held = folder.resolve("held.jsonl");
    Files.write(held, Files.readAllLines(fixture("pairs32.jsonl")).subList(0, 8));
    train("tuned", Map.of("learning_rate", 10, "eval_file", held));
    String early = "held-out pairs are also trained on";
    String late = "the training loss ended above its start";
    String said = text(err);
    assertThat(said).containsOnlyOnce(late);
    assertThat(said.split(early, -1)).hasSize(1 + 2);
    String list = said.substring(said.indexOf("earlier warnings of this run:\n"));
    assertThat(list).contains("  - ", early).doesNotContain(late);
    assertThat(Files.readString(folder.resolve("tuned/README.md"))).contains(early, late);
  }

  @Test
  void aRunOfOneStepHasNoPlural() throws IOException {
    train("tuned", Map.of("max_steps", 1));
    assertThat(text(out))
        .contains("\n1 step of 2 pairs; ", "\ndone: 1 step in ", " (the last step)\n");
    assertThat(Files.readString(folder.resolve("tuned/curves.svg")))
        .contains("27 pairs, 1 step of 2, ");
    assertThat(Files.readString(folder.resolve("tuned/README.md"))).contains("1 step of 2 pairs");
  }

  @Test
  void aNoteOfTheTemplateStandsOnceForAllFiles() {
    Map<String, Object> options = new HashMap<>();
    Path examples = Path.of("..", "examples");
    options.put("model", examples.resolve("tiny-chat"));
    options.put("data_file", examples.resolve("pairs.jsonl"));
    options.put("eval_file", examples.resolve("eval.jsonl"));
    options.put("output_dir", folder.resolve("tuned"));
    options.put("max_steps", 1);
    options.put("warmup_steps", 1);
    options.put("reference_cache", "off");
    options.put("sample_prompts", 0);
    TrainingRun.run(TrainingConfig.of(options), output(out, err));
    assertThat(text(out))
        .containsOnlyOnce("scored as in TRL; nothing to do (64 pairs)\n")
        .contains(" after 1 warm-up step\n");
  }

  /** Of 4 steps, the first two have the peak and the others nothing. */
  @Test
  void stepsAtALearningRateOfZeroAreSaidBeforeTheyAreTrained() throws IOException {
    Map<String, Object> settings = Map.of("num_stable_steps", 1, "num_decay_steps", 1);
    train(
        "tuned",
        Map.of("lr_scheduler_type", "warmup_stable_decay", "lr_scheduler_kwargs", settings));
    assertThat(text(out))
        .contains(", warmup_stable_decay (num_decay_steps 1, num_stable_steps 1)\n");
    assertThat(text(err)).contains("note: the learning rate is 0 from step 3 on");
    err.reset();
    train(
        "all",
        Map.of(
            "lr_scheduler_type",
            "warmup_stable_decay",
            "lr_scheduler_kwargs",
            Map.of("num_decay_steps", 1)));
    assertThat(text(err)).doesNotContain("the learning rate is 0");
  }

  @Test
  void aRunOfTwoPointsIsSaidBeforeItIsTrained() throws IOException {
    train("tuned", Map.of("logging_steps", 2));
    assertThat(text(err))
        .contains(
            "note: 4 steps with a log line every 2 give 2 points, too few for a curve; pass"
                + " logging_steps 1");
    err.reset();
    train("all", Map.of("logging_steps", 1));
    assertThat(text(err)).doesNotContain("too few for a curve");
  }

  @Test
  void scoreSumsUpItsRows() throws IOException {
    Map<String, Object> options = new HashMap<>();
    options.put("model", fixture("models/llama"));
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("output", folder.resolve("scores.jsonl"));
    ScoreRun.run(ScoreConfig.of(options), output(out, err));
    double sum = 0;
    int right = 0;
    List<String> rows = Files.readAllLines(folder.resolve("scores.jsonl"));
    for (String row : rows) {
      JsonNode score = JsonMapper.shared().readTree(row);
      double margin =
          score.get("chosen_logps").doubleValue() - score.get("rejected_logps").doubleValue();
      sum += margin;
      right += margin > 0 ? 1 : 0;
    }
    assertThat(rows).hasSize(32);
    assertThat(text(out))
        .contains(
            "in %d of 32 pairs (%.1f %%) the chosen answer is the likelier one; mean margin %+.3f nats"
                .formatted(right, 100.0 * right / 32, sum / 32));

    out.reset();
    options.put("ref_model", fixture("models/llama"));
    ScoreRun.run(ScoreConfig.of(options), output(out, err));
    // The model against itself: no pair has a margin.
    assertThat(text(out))
        .contains(
            "accuracy: in 0 of 32 pairs (0.0 %) the model prefers the chosen answer",
            "margin +0.000");
  }

  /** 51 pairs: a fifth of them is 10. Their margins fall from line 1 to line 51. */
  @Test
  void theLowestMarginsAreNamedByTheirRows() {
    ScoreSummary summary = new ScoreSummary(true, ExampleKind.PAIRS);
    for (int line = 1; line <= 51; line++) {
      summary.add(new RowOrigin("pairs.jsonl", line, line), 25.5 - line, 0);
    }
    List<String> lines = summary.lines();
    assertThat(lines).hasSize(2 + 10);
    assertThat(lines.get(0)).contains("in 25 of 51 pairs (49.0 %)", "mean reward margin -0.500");
    assertThat(lines.get(1)).contains("check these pairs for swapped or broken answers");
    assertThat(lines.get(2)).isEqualTo("  -25.500  [pairs.jsonl:51]");
    assertThat(lines.get(11)).isEqualTo("  -16.500  [pairs.jsonl:42]");
  }

  @Test
  void fewPairsHaveFewLowestMarginsAndWithoutAReferenceThereAreNone() {
    ScoreSummary rewards = new ScoreSummary(true, ExampleKind.PAIRS);
    ScoreSummary plain = new ScoreSummary(false, ExampleKind.PAIRS);
    for (int line = 1; line <= 9; line++) {
      rewards.add(new RowOrigin("pairs.jsonl", line, line), line, 0.5);
      plain.add(new RowOrigin("pairs.jsonl", line, line), line, 0.5);
    }
    assertThat(rewards.lines()).hasSize(2 + 1).last().isEqualTo("  +1.000  [pairs.jsonl:1]");
    assertThat(rewards.lines()).contains("lowest reward margins, all of them positive:");
    assertThat(plain.lines()).hasSize(2).last().asString().contains("ref_model");
    assertThat(new ScoreSummary(true, ExampleKind.PAIRS).lines())
        .containsExactly("no pair could be scored");
  }

  @Test
  void theDemoExplainsWhatMoved() {
    DemoRun.run(DemoConfig.OPTIONS.build(Map.of("steps", 2)), output(out, err));
    assertThat(text(out))
        .containsPattern(
            "On average the log-probability of the chosen answers moved by [+-]\\d+\\.\\d nats and"
                + " that of the rejected ones by -\\d+\\.\\d\\.")
        .containsPattern("the margin grew and the loss fell\\R")
        .endsWith(
            "nothing was saved; next, in the folder of dpo4j: ./dpo4j train --config examples/train.yaml\n");
    out.reset();
    DemoRun.run(
        DemoConfig.OPTIONS.build(Map.of("steps", 2, "output_dir", folder.resolve("demo"))),
        output(out, err));
    assertThat(text(out))
        .endsWith("\nnext, in the folder of dpo4j: ./dpo4j train --config examples/train.yaml\n")
        .doesNotContain("nothing was saved");
  }

  private void train(String name, Map<String, ?> more) throws IOException {
    Map<String, Object> options = new HashMap<>();
    options.put("model", fixture("models/llama"));
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("output_dir", folder.resolve(name));
    options.put("max_length", 128);
    options.put("max_steps", 4);
    options.put("learning_rate", 1e-4);
    options.put("per_device_train_batch_size", 2);
    options.putAll(more);
    TrainingRun.run(TrainingConfig.of(options), output(out, err));
  }
}
