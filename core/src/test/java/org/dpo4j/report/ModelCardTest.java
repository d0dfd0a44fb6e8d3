package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.EvaluationReport;
import org.dpo4j.PairMetrics;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.loss.ApoZeroUnpairedLoss;
import org.dpo4j.loss.KtoLoss;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.loss.TokenLoss;
import org.dpo4j.loss.TrainingLoss;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** Closes: a card that the hub cannot parse, or that shows names as mark-up or leaks a path. */
class ModelCardTest {
  private static final TrainingLoss PAIRS = new SigmoidLoss(0.1);

  @Test
  void theFrontMatterIsYamlWhateverTheNames() {
    String name = "my \"best\": model\n---\nlicense: evil # 'ü'";
    JsonNode matter = frontMatter(ModelCard.text(run(name, "org/base-1.5", null)));
    assertThat(matter.get("model_name").asString()).isEqualTo(name);
    assertThat(matter.get("base_model").asString()).isEqualTo("org/base-1.5");
    assertThat(matter.get("library_name").asString()).isEqualTo("transformers");
    assertThat(matter.has("license")).isFalse();
    assertThat(matter.get("datasets").get(0).asString()).isEqualTo("pairs|x.jsonl");
    assertThat(matter.get("datasets")).hasSize(1);
    assertThat(matter.get("tags")).hasSize(4);
  }

  @Test
  void namesAreShownAsTheyAreNotAsMarkup() {
    String card = ModelCard.text(run("a\n# b <script> `c` | d_e _f_", "org/base", "mit"));
    assertThat(card)
        .contains("# a \\# b \\<script\\> \\`c\\` \\| d_e \\_f\\_\n")
        .contains("license: \"mit\"\n")
        .contains("| learning_rate | 1e-06 |\n");
  }

  @Test
  void aLocalPathIsNotPublished() {
    String card = ModelCard.text(run("tuned", "/home/anna/models/tiny-chat/", null));
    assertThat(card).doesNotContain("anna").contains("This model is tiny-chat,");
  }

  @Test
  void resultsShowBothEvaluationsAndTheDataEveryFate() {
    String card = ModelCard.text(run("tuned", "org/base", null));
    assertThat(card)
        .contains("On 33 held-out pairs, before training and after step 4.\n")
        .contains("| metric | before | after |\n")
        .contains("| eval_loss | 0.6931 | 0.5 |\n")
        // 140 whole + 7 cut + 103 not used = 250 rows.
        .contains(
            "- pairs\\|x.jsonl, training: of 250 rows, 140 used whole, 7 cut to the maximal"
                + " length, 103 not used (prompt too long: 100; identical: 3).\n")
        .contains("2305.18290", "![Loss", "(curves.png)");
  }

  @Test
  void theOriginHasHashesTheBaseOfTheBaseAndHowTheWeightsWereSaved() {
    String card = ModelCard.text(run("tuned", "/home/anna/models/second", null));
    assertThat(card)
        .contains(
            """
            ## Origin

            - weights: saved as float32 (bfloat16 would lose 97 % of the update)
            - base model second: weights sha256 `0123ab`
            - second was tuned from first, which was tuned from org/base
            - data pairs.jsonl: sha256 `4567cd`
            """)
        .doesNotContain("anna");
  }

  @Test
  void theQuickStartWorksFromWhereTheRunWasStarted() {
    RunSummary run = run("tuned", "org/base", null);
    assertThat(ModelCard.text(run))
        .contains("In the folder from which dpo4j ran:\n")
        .contains("./dpo4j generate --model runs/tuned --prompt \"Which would")
        .contains("model=\"runs/tuned\")");
    // An adapter goes on its model; a path with a space is one word of the shell.
    assertThat(ModelCard.text(with(run, true, account("runs/it's", List.of()))))
        .contains("--model 'models/my base' --adapter 'runs/it'\\''s' --prompt");
    // A place that only one machine has is not named.
    assertThat(ModelCard.text(with(run, false, account(".", List.of()))))
        .contains("From inside this folder", "dpo4j generate --model . --prompt", "model=\".\")");
  }

  @Test
  void sampleAnswersAreShownAsTheyAreWhateverIsInThem() {
    RunSummary run = run("tuned", "org/base", null);
    RunSummary.Sample sample =
        new RunSummary.Sample(
            "<b>Hi</b>\r\n# *no heading*", "````\ncode\n````", "\u001b[31mred\u0000 | a\tb");
    assertThat(ModelCard.text(with(run, false, account(".", List.of(sample)))))
        .contains("To the first prompts of the held-out pairs")
        .contains("Prompt:\n\n```text\n<b>Hi</b>\n# *no heading*\n```\n")
        // Four backticks inside need five around them.
        .contains("Before:\n\n`````text\n````\ncode\n````\n`````\n")
        // Escape sequences would reach the terminal of whoever prints the card.
        .contains("After:\n\n```text\n\\u001b[31mred\\u0000 | a\tb\n```\n");
    assertThat(ModelCard.text(run)).doesNotContain("## Sample answers");
  }

  @Test
  void warningsOfTheRunStandInTheCardWithoutFoldersOfTheMachine() {
    RunSummary run = run("tuned", "org/base", null);
    RunSummary.Sample sample = new RunSummary.Sample("p", "b", "a");
    assertThat(ModelCard.text(with(run, false, account(".", List.of(sample)))))
        .contains(
            "## Warnings of the run\n\n- \\[pairs.jsonl:3\\] is odd; see x.csv or docs/reference\n")
        .contains("- the loss of 1/2 rose\n")
        .containsSubsequence("## Results", "## Warnings of the run", "## Sample answers")
        .doesNotContain("anna");
  }

  @Test
  void theTrainingSectionHasTheFormOfTheRowsAndOnlySettingsThatDiffer() {
    assertThat(ModelCard.text(run("tuned", "org/base", null)))
        .contains(
            "32 steps of 4 pairs with sigmoid, beta 0.1. Rows: conversations, through the chat"
                + " template. The run took 13 s.")
        .contains("| setting that differs from its default | value |");
  }

  @Test
  void theAccuracyOfTiesIsNoNumber() {
    TrainingMetrics ties = PairMetrics.of(0.6931, 0, 0, 0, 1e-6, -100, -90, 0, 0, 4, 0.3);
    RunSummary run =
        copy(
            run("tuned", "org/base", null),
            new RunHistory.HeldOut(
                new EvaluationReport(0, 0, "", ties, 33, 1), SampleRuns.evaluation(4, 0.5)));
    assertThat(ModelCard.text(run)).contains("| eval_rewards/accuracies | (ties) | 0.75 |");
  }

  @Test
  void withoutAnEvaluationThereIsNoResultsTable() {
    RunSummary full = run("tuned", "org/base", null);
    RunSummary bare = copy(full);
    assertThat(ModelCard.text(bare))
        .contains("## Results\n\n- training loss 0.6931 -\\> 0.5\n")
        .doesNotContain("| metric |");
    EvaluationReport start = SampleRuns.evaluation(0, 0.7);
    assertThat(ModelCard.text(copy(full, new RunHistory.HeldOut(start, start))))
        .contains("| metric | after |");
  }

  @Test
  void theMethodIsThatOfTheLoss() {
    assertThat(Method.of(PAIRS).tags()).contains("dpo");
    assertThat(Method.of(new KtoLoss(0.1, 1, 1)).citation()).contains("2402.01306");
    Method apo = Method.of(new ApoZeroUnpairedLoss(0.1, 1, 1));
    assertThat(apo.words()).contains("APO-zero").doesNotContain("KTO");
    assertThat(apo.tags()).contains("apo").doesNotContain("kto");
    assertThat(apo.citation()).contains("2408.06266").doesNotContain("Kahneman");
    assertThat(Method.of(new TokenLoss()).tags()).containsExactly("sft");
  }

  /**
   * Both kinds of card as a whole; {@code -Ddpo4j.write.docs=true} writes the files anew after a
   * change of the text.
   */
  @Test
  void theWholeCardOfAModelAndOfAnAdapterIsAsRecorded() throws IOException {
    RunSummary model = run("tuned", "org/base", "mit");
    RunSummary.Sample sample = new RunSummary.Sample("Hi", "", "Hello");
    assertRecorded("model.md", with(model, false, account("runs/tuned", List.of(sample))));
    assertRecorded(
        "adapter.md",
        new RunSummary(
            PAIRS,
            "adapter",
            "org/base",
            true,
            "the model without the adapter",
            "ipo, beta 0.1",
            false,
            "plain text",
            null,
            Map.of(),
            List.of(),
            List.of(),
            3700,
            Map.of("dpo4j", "0.1.0"),
            new RunSummary.Origin(List.of(), "0123ab", Map.of(), "float32"),
            new RunSummary.Account(
                ".", "models/base", "2 steps.", List.of("it ran"), List.of(), List.of(sample))));
  }

  private static void assertRecorded(String name, RunSummary run) throws IOException {
    Path recorded = Path.of("src/test/resources/fixtures/cards").resolve(name);
    if (Boolean.getBoolean("dpo4j.write.docs")) {
      Files.createDirectories(recorded.getParent());
      Files.writeString(recorded, ModelCard.text(run));
    }
    assertThat(ModelCard.text(run)).isEqualTo(Files.readString(recorded));
  }

  private static RunSummary run(String name, String base, @Nullable String license) {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("learning_rate", "1e-06");
    Map<String, Long> dropped = new LinkedHashMap<>();
    dropped.put("prompt too long", 100L);
    dropped.put("identical", 3L);
    return new RunSummary(
        PAIRS,
        name,
        base,
        false,
        "a frozen copy of the starting model",
        "sigmoid, beta 0.1",
        true,
        "conversations, through the chat template",
        license,
        settings,
        List.of(
            new RunSummary.DataFile("training", "/data/pairs|x.jsonl", 140, 7, dropped),
            new RunSummary.DataFile("evaluation", "/data/pairs|x.jsonl", 33, 0, Map.of())),
        List.of(
            new RunHistory.HeldOut(
                SampleRuns.evaluation(0, 0.6931472), SampleRuns.evaluation(4, 0.5))),
        12.5,
        Map.of("dpo4j", "0.1.0"),
        new RunSummary.Origin(
            List.of("/home/anna/first", "org/base"),
            "0123ab",
            Map.of("/data/pairs.jsonl", "4567cd"),
            "float32 (bfloat16 would lose 97 % of the update)"),
        account("runs/tuned", List.of()));
  }

  private static RunSummary.Account account(String folder, List<RunSummary.Sample> samples) {
    return new RunSummary.Account(
        folder,
        "models/my base",
        "32 steps of 4 pairs with sigmoid, beta 0.1.",
        List.of("training loss 0.6931 -> 0.5"),
        List.of(
            "[/home/anna/data/pairs.jsonl:3] is odd; see C:\\Users\\anna\\x.csv or docs/reference",
            "the loss of 1/2 rose"),
        samples);
  }

  private static RunSummary copy(RunSummary run, RunHistory.HeldOut... heldOut) {
    return new RunSummary(
        PAIRS,
        run.modelName(),
        run.baseModel(),
        run.adapter(),
        run.reference(),
        run.loss(),
        run.conversational(),
        run.rowForm(),
        run.license(),
        run.settings(),
        run.data(),
        List.of(heldOut),
        run.trainSeconds(),
        run.versions(),
        run.origin(),
        run.account());
  }

  private static RunSummary with(RunSummary run, boolean adapter, RunSummary.Account account) {
    return new RunSummary(
        PAIRS,
        run.modelName(),
        run.baseModel(),
        adapter,
        run.reference(),
        run.loss(),
        run.conversational(),
        run.rowForm(),
        run.license(),
        run.settings(),
        run.data(),
        run.heldOut(),
        run.trainSeconds(),
        run.versions(),
        run.origin(),
        account);
  }

  private static JsonNode frontMatter(String card) {
    assertThat(card).startsWith("---\n");
    return new YAMLMapper().readTree(card.substring(4, card.indexOf("\n---\n")));
  }
}
