package org.dpo4j.survey;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.EncodedRow.Boundary;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes what is wrong with a data set as a whole and with no row of it: repeated and contradictory
 * pairs, a side that is always longer, answers in another language.
 */
class DataSurveyTest {
  private static final Path EXAMPLES = Path.of("..", "examples");

  private final Path folder;

  DataSurveyTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void theExampleHasNoFindings() throws IOException {
    DataSurvey survey =
        survey(ExampleKind.PAIRS, Files.readAllLines(EXAMPLES.resolve("pairs.jsonl")), 0);
    assertThat(survey.used()).isEqualTo(64);
    assertThat(survey.findings()).isEmpty();
    assertThat(survey.boundaries()).containsOnlyKeys(Boundary.PROMPT_END);
    assertThat(survey.wholes().size()).isEqualTo(64);
  }

  @Test
  void aRepeatedPairIsToldFromOneWithTheOppositePreferenceAndFromANearlyEqualOne()
      throws IOException {
    String answer = "Boil it for six minutes, then put it into cold water so that it stops cooking";
    String other = "Eggs are interesting because people all over the world eat them in many ways";
    DataSurvey survey =
        survey(
            ExampleKind.PAIRS,
            List.of(
                pair("How do I boil an egg?", answer + ".", other + "."),
                pair("Name a fruit.", "An apple.", "A brick."),
                pair("How do I boil an egg?", other + ".", answer + "."),
                pair("How do I boil an egg?", answer + ".", other + "."),
                pair("How do I boil an egg?", answer + "!", other + "!"),
                pair("Name a fruit.", "A pear.", "A stone.")),
            0);
    assertThat(survey.contradictions()).isEqualTo(1);
    assertThat(survey.duplicates()).isEqualTo(1);
    assertThat(survey.nearDuplicates()).isEqualTo(1);
    Path file = folder.resolve("rows.jsonl");
    assertThat(survey.findings()).hasSize(3);
    assertThat(survey.findings().get(0))
        .startsWith(
            "1 of 6 pairs have the tokens of an earlier one (first [%1$s:4], which is [%1$s:1])"
                .formatted(file));
    assertThat(survey.findings().get(1))
        .contains("opposite preference (first [%1$s:3], which is [%1$s:1])".formatted(file));
    assertThat(OptionText.plain(survey.findings().get(2)))
        .contains("(first [%1$s:5], with [%1$s:1]); with eval_split".formatted(file));
  }

  @Test
  void aCompletionWithBothLabelsIsAContradiction() throws IOException {
    String row = "{\"prompt\":\"Name a fruit.\",\"completion\":\" An apple.\",\"label\":%s}";
    DataSurvey survey =
        survey(
            ExampleKind.LABELED,
            List.of(row.formatted(true), row.formatted(false), row.formatted(true)),
            0);
    assertThat(survey.contradictions()).isEqualTo(1);
    assertThat(survey.duplicates()).isEqualTo(1);
    assertThat(survey.findings().get(1)).contains("opposite label");
    assertThat(survey.bias()).isEmpty();
  }

  @Test
  void theSideThatIsLongerInMostPairsIsNamedAndChanceIsNot() throws IOException {
    String longAnswer = "It is a thing that people like to eat, and it is sweet, number ";
    List<String> biased = new ArrayList<>();
    List<String> even = new ArrayList<>();
    Random random = new Random(3);
    for (int i = 0; i < 40; i++) {
      String brief = "Fruit " + random.nextInt(1_000_000);
      String words = longAnswer + random.nextInt(1_000_000);
      biased.add(
          pair("What is " + i + "?", i % 8 == 0 ? brief : words, i % 8 == 0 ? words : brief));
      even.add(pair("What is " + i + "?", i % 2 == 0 ? brief : words, i % 2 == 0 ? words : brief));
    }
    DataSurvey survey = survey(ExampleKind.PAIRS, biased, 0);
    LengthBias bias = survey.bias().orElseThrow();
    assertThat(bias.longer()).isEqualTo(35);
    assertThat(bias.shorter()).isEqualTo(5);
    assertThat(survey.findings())
        .anyMatch(
            finding ->
                finding.startsWith("the chosen answer is the longer one in 88 % of 40 pairs"));
    assertThat(survey(ExampleKind.PAIRS, even, 0).findings())
        .noneMatch(finding -> finding.contains("longer one"));
    // Three of four, of so few that a coin does it too.
    assertThat(new LengthBias(6, 2, 0, 9, 5).isClear()).isFalse();
    assertThat(new LengthBias(6, 2, 0, 9, 5).isEven()).isFalse();
    assertThat(new LengthBias(59, 41, 0, 9, 5).isEven()).isTrue();
    assertThat(new LengthBias(60, 30, 0, 9, 5).isClear()).isTrue();
    assertThat(new LengthBias(60, 30, 0, 9, 5).isStrong()).isFalse();
    assertThat(new LengthBias(0, 0, 4, 5, 5).isClear()).isFalse();
  }

  @Test
  void answersInTwoScriptsAndRefusalsAreCounted() throws IOException {
    DataSurvey survey =
        survey(
            ExampleKind.PAIRS,
            List.of(
                pair("Name a fruit.", "苹果是一种水果。", "An apple is a fruit."),
                pair("Name a tool.", "A hammer.", "I'm sorry, but I can't do that.")),
            0);
    assertThat(survey.scripts()).isEqualTo(java.util.Map.of("Han", 1L, "Latin", 3L));
    assertThat(survey.findings())
        .singleElement()
        .asString()
        .startsWith("1 of 2 pairs have answers in two scripts");
    assertThat(survey.refusals().get("rejected")).isEqualTo(new DataSurvey.Refusals(1, 2));
    assertThat(survey.refusals().get("chosen")).isEqualTo(new DataSurvey.Refusals(0, 2));
  }

  @Test
  void lengthsAreThoseBeforeTheCutAndIncludeDroppedRows() throws IOException {
    List<String> rows =
        List.of(
            pair("Why?", "Because it is so and not otherwise, as all of us know.", "No idea."),
            pair("Is this a long prompt that fills the limit on its own, word by word?", "A", "B"));
    DataSurvey whole = survey(ExampleKind.PAIRS, rows, 0);
    DataSurvey cut = survey(ExampleKind.PAIRS, rows, 16);
    assertThat(cut.used()).isLessThan(whole.used());
    assertThat(cut.wholes().longest()).isEqualTo(whole.wholes().longest());
    assertThat(cut.prompts().size()).isEqualTo(2);
  }

  @Test
  void aMergeOfTokensAndNoPromptAreToldApart() throws IOException {
    DataSurvey merged =
        survey(
            ExampleKind.PAIRS,
            List.of("{\"prompt\":\"How long sho\",\"chosen\":\"uld it\",\"rejected\":\"w it\"}"),
            0);
    assertThat(merged.boundaries()).containsOnlyKeys(Boundary.CROSSING_TOKEN);
    DataSurvey none =
        survey(ExampleKind.PAIRS, List.of("{\"chosen\":\"Apple\",\"rejected\":\"Brick\"}"), 0);
    assertThat(none.boundaries()).containsOnlyKeys(Boundary.NONE);
  }

  private static String pair(String prompt, String chosen, String rejected) {
    return """
    {"prompt":[{"role":"user","content":"%s"}],"chosen":[{"role":"assistant","content":"%s"}],\
    "rejected":[{"role":"assistant","content":"%s"}]}
    """
        .formatted(prompt, chosen, rejected)
        .strip();
  }

  private DataSurvey survey(ExampleKind kind, List<String> rows, int maxLength) throws IOException {
    Path file = Files.write(folder.resolve("rows.jsonl"), rows);
    DataSurvey survey = new DataSurvey(kind);
    try (ModelTokenizer tokenizer = ModelTokenizer.load(EXAMPLES.resolve("tiny-chat"))) {
      ExampleDataset.forEachRow(
          DataInput.of(file).reading(kind, false),
          ExampleEncoder.of(tokenizer, new EncodingLimits(maxLength, 512, Integer.MAX_VALUE)),
          OnBadRow.STOP,
          1,
          survey::add);
    }
    return survey;
  }
}
