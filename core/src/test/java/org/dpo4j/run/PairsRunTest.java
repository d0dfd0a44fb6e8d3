package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
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
import org.dpo4j.UsageException;
import org.dpo4j.config.PairsConfig;
import org.dpo4j.config.SampleConfig;
import org.dpo4j.config.ScoreConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes pairs of the wrong completions, pairs that no difference of scores justifies, and prompts
 * that disappear without being counted.
 */
class PairsRunTest {

  private static final Path TINY_CHAT = Path.of("..", "examples", "tiny-chat");

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  PairsRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private List<String> pairs(String completions, String scores, Object... more) throws IOException {
    Files.writeString(folder.resolve("c.jsonl"), completions);
    Files.writeString(folder.resolve("s.jsonl"), scores);
    Map<String, Object> options = new HashMap<>();
    options.put("judge", "scores");
    options.put("scores_file", folder.resolve("s.jsonl"));
    options.put("completions_file", folder.resolve("c.jsonl"));
    options.put("output", folder.resolve("p.jsonl"));
    for (int i = 0; i < more.length; i += 2) {
      options.put((String) more[i], more[i + 1]);
    }
    PairsRun.run(PairsConfig.of(options), output(out));
    return Files.readAllLines(folder.resolve("p.jsonl"));
  }

  @Test
  void theBestIsPairedWithTheWorst() throws IOException {
    assertThat(
            pairs(
                "{\"prompt\": \"p\", \"file\": \"f.txt\", \"row\": 4, \"line\": 7, \"completions\": [\"a\", \"b\", \"c\", \"d\"]}\n",
                "{\"scores\": [1, 3, 0.5, 2]}\n"))
        .containsExactly(
            "{\"prompt\":\"p\",\"chosen\":\"b\",\"rejected\":\"c\",\"score_chosen\":3.0,\"score_rejected\":0.5,\"file\":\"f.txt\",\"row\":4,\"line\":7}");
    assertThat(text(out)).contains("1 prompt, 4 completions; mean score 1.625", "1 pair of 1 prom");
  }

  @Test
  void inAConversationTheCompletionsAreTurnsOfTheAssistant() throws IOException {
    assertThat(
            pairs(
                "{\"prompt\": [{\"role\": \"user\", \"content\": \"p\"}], \"completions\": [{\"text\": \"a\"}, {\"text\": \"b\"}]}\n",
                "{\"scores\": [0, 1]}\n"))
        .containsExactly(
            "{\"prompt\":[{\"role\":\"user\",\"content\":\"p\"}],\"chosen\":[{\"role\":\"assistant\",\"content\":\"b\"}],\"rejected\":[{\"role\":\"assistant\",\"content\":\"a\"}],\"score_chosen\":1.0,\"score_rejected\":0.0}");
  }

  private static final String FATES =
      """
      {"prompt": "one", "completions": ["a", "a", "a"]}
      {"prompt": "equal", "completions": ["a", "b"]}
      {"prompt": "close", "completions": ["a", "b", "a"]}
      {"prompt": "far", "completions": ["a", "b", "c"]}
      """;

  private static final String SCORES =
      """
      {"scores": [1, 1, 1]}
      {"scores": [2, 2]}
      {"scores": [1, 1.5, 1]}
      {"scores": [1, 3, 2]}
      """;

  @Test
  void everyPromptWithoutAPairIsCountedByItsReason() throws IOException {
    assertThat(pairs(FATES, SCORES, "margin", 0.5))
        .singleElement()
        .asString()
        .contains("\"far\"", "\"chosen\":\"b\",\"rejected\":\"a\"");
    assertThat(text(out))
        .contains(
            "4 prompts, 11 completions, 3 of them duplicates, dropped;",
            "1 pair of 1 prompt",
            "1 prompt without a pair: one completion only",
            "1 prompt without a pair: equal scores only",
            "1 prompt without a pair: no scores that differ by more than margin 0.5");
  }

  @Test
  void allPairsWhoseScoresDifferByMoreThanTheMarginAreMade() throws IOException {
    List<String> rows = pairs(FATES, SCORES, "choose", "all_above_margin");
    assertThat(rows).hasSize(4);
    assertThat(rows.get(0)).contains("\"close\"");
    assertThat(rows.subList(1, 4))
        .anyMatch(row -> row.contains("\"chosen\":\"b\",\"rejected\":\"a\""))
        .anyMatch(row -> row.contains("\"chosen\":\"b\",\"rejected\":\"c\""))
        .anyMatch(row -> row.contains("\"chosen\":\"c\",\"rejected\":\"a\""));
    assertThat(pairs(FATES, SCORES, "choose", "all_above_margin", "margin", 1))
        .singleElement()
        .asString()
        .contains("\"chosen\":\"b\",\"rejected\":\"a\"");
  }

  @Test
  void unpairedRowsHaveALabel() throws IOException {
    assertThat(pairs(FATES, SCORES, "unpaired", true, "threshold", 2))
        .hasSize(8)
        .contains(
            "{\"prompt\":\"equal\",\"completion\":\"b\",\"label\":true,\"score\":2.0}",
            "{\"prompt\":\"close\",\"completion\":\"b\",\"label\":false,\"score\":1.5}");
    assertThat(text(out)).contains("8 rows: 4 with label true, 4 with false");
  }

  /** What {@code sample} writes, judged and scored: the file is one of pairs for every command. */
  @Test
  void thePairsOfARealFileCanBeScored() throws IOException {
    Files.writeString(folder.resolve("prompts.txt"), "Hello\nName a color.\n");
    SampleConfig sample =
        SampleConfig.of(
            Map.of(
                "model",
                TINY_CHAT,
                "prompts_file",
                folder.resolve("prompts.txt"),
                "output",
                folder.resolve("c.jsonl"),
                "max_new_tokens",
                16));
    SampleRun.run(sample, output(out));
    PairsRun.run(
        PairsConfig.of(
            Map.of(
                "judge", "regex",
                "pattern", "[aeiou]\\w*$",
                "completions_file", folder.resolve("c.jsonl"),
                "choose", "all_above_margin",
                "output", folder.resolve("p.jsonl"))),
        output(out));
    ScoreRun.run(
        ScoreConfig.of(
            Map.of(
                "model", TINY_CHAT,
                "data_file", folder.resolve("p.jsonl"),
                "output", folder.resolve("scores.jsonl"))),
        output(out));
    assertThat(Files.readAllLines(folder.resolve("scores.jsonl")))
        .hasSameSizeAs(Files.readAllLines(folder.resolve("p.jsonl")))
        .isNotEmpty()
        .allMatch(row -> row.contains("\"status\":\"kept\""));
  }

  /** No command trains on an empty completion. */
  @Test
  void anEmptyCompletionIsInNoPair() throws IOException {
    assertThat(
            pairs(
                "{\"prompt\": \"p\", \"completions\": [\"\", \"a\", \"b\"]}\n{\"prompt\": \"q\", \"completions\": [\"\", \"\"]}\n",
                "{\"scores\": [0, 1, 2]}\n{\"scores\": [0, 1]}\n"))
        .containsExactly(
            "{\"prompt\":\"p\",\"chosen\":\"b\",\"rejected\":\"a\",\"score_chosen\":2.0,\"score_rejected\":1.0}");
    assertThat(text(out))
        .contains(
            "2 prompts, 5 completions, 3 of them empty, dropped; mean score 0.8",
            "1 prompt without a pair: empty completions only");
  }

  @Test
  void theRowsOwnCompletionIsChosenOverEachOther() throws IOException {
    Files.writeString(
        folder.resolve("c.jsonl"),
        """
        {"prompt": "p", "columns": {"own": "x"}, "completions": ["a", "x ", "a", "b", ""]}
        {"prompt": "q", "columns": {"own": "y"}, "completions": ["y"]}
        """);
    PairsRun.run(
        PairsConfig.of(
            Map.of(
                "completions_file",
                folder.resolve("c.jsonl"),
                "output",
                folder.resolve("p.jsonl"),
                "chosen_column",
                "own")),
        output(out));
    assertThat(Files.readAllLines(folder.resolve("p.jsonl")))
        .containsExactly(
            "{\"prompt\":\"p\",\"chosen\":\"x\",\"rejected\":\"a\"}",
            "{\"prompt\":\"p\",\"chosen\":\"x\",\"rejected\":\"b\"}");
    assertThat(text(out))
        .contains(
            "2 prompts, 6 completions, 1 of them empty, dropped, 1 of them a duplicate, dropped",
            "2 pairs of 1 prompt",
            "2 completions without a pair: equal to the row's own");
  }

  @Test
  void aFileWithoutPromptsOrWithOtherRowsIsAnError() {
    assertThatThrownBy(() -> pairs("", ""))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("c.jsonl] must hold at least one prompt");
    assertThatThrownBy(() -> pairs("{\"prompt\": \"p\", \"completions\": [5]}", ""))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("c.jsonl:1] completion without text: completion 1 must be a text");
    assertThatThrownBy(() -> pairs("{\"prompt\": \"p\", \"completions\": []}", ""))
        .hasMessageContaining("c.jsonl:1] no completions");
    assertThat(folder.resolve("p.jsonl")).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "judge=regex|judge regex needs pattern",
        "judge=exact|judge exact needs answer_column",
        "judge=command|judge command needs command",
        "judge=scores|judge scores needs scores_file",
        "judge=reward|judge reward needs reward_model",
        "judge=reward reward_model=m unpaired=true|labels need threshold with judge reward",
        "judge=length|judge length needs prefer or target_length",
        "judge=length prefer=shorter target_length=5|pass one of them",
        "judge=exact answer_column=a pattern=b|pattern has no effect with judge exact",
        "judge=regex pattern=(|pattern must be a regular expression of Java",
        "judge=length prefer=longer unpaired=true|labels need threshold with judge length",
        "threshold=1 chosen_column=a|threshold has no effect without judge",
        "margin=0|judge is required",
        "judge=json_schema chosen_column=a|chosen_column needs no judge",
        "chosen_column=a margin=1|chosen_column compares no scores",
        "chosen_column=a unpaired=true|unpaired makes no pairs; remove margin, choose and",
        "judge=json_schema unpaired=true margin=1|unpaired makes no pairs; remove margin",
        "judge=json_schema margin=-1|margin must be a number from 0",
        "judge=command command=x command_timeout=0|command_timeout must be a whole number from 1",
      })
  void optionsThatDoNotGoTogetherAreRefused(String words, String message) {
    Map<String, Object> options = new HashMap<>();
    options.put("completions_file", "c.jsonl");
    options.put("output", "p.jsonl");
    for (String word : words.split(" ")) {
      int equals = word.indexOf('=');
      options.put(word.substring(0, equals), word.substring(equals + 1));
    }
    assertThatThrownBy(() -> PairsConfig.of(options))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(message);
  }
}
