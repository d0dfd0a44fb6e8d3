package org.dpo4j.judge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.data.SampledPrompt;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes rules that pass a wrong answer or fail a right one, text of a model that reaches a shell,
 * and commands and expressions that never end.
 */
class JudgeTest {

  private final Path folder;

  JudgeTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private static SampledPrompt prompt(Map<String, @Nullable Object> columns, String... texts) {
    List<SampledPrompt.Completion> completions = new ArrayList<>();
    for (String text : texts) {
      completions.add(new SampledPrompt.Completion(completions.size(), text, text.length()));
    }
    return new SampledPrompt(
        new RowOrigin("a.jsonl", 3, 2),
        new SampledPrompt.Prompt("What is 7 times 12?", List.of()),
        Map.of(),
        columns,
        completions);
  }

  private static double[] scores(
      Judge judge, Map<String, @Nullable Object> columns, String... texts) {
    return judge.scores(prompt(columns, texts));
  }

  private static Judge regex(String pattern, String answer) {
    return Judge.regex(
        Pattern.compile(pattern), answer.isEmpty() ? Optional.empty() : Optional.of(answer));
  }

  @Test
  void anExactAnswerMayDifferInCaseSpaceAndPunctuationAround() {
    assertThat(
            scores(
                Judge.exact("answer"),
                Map.of("answer", "New  York"),
                "new york",
                " “New York.” ",
                "New York City",
                "NewYork",
                "ＮＥＷ ＹＯＲＫ!",
                ""))
        .containsExactly(1, 1, 0, 0, 1, 0);
  }

  @Test
  void anAnswerMayBeANumberOrOneOfAList() {
    assertThat(scores(Judge.exact("n"), Map.of("n", 84), "84.", "**84**", "-84", "84%", "8 4"))
        .containsExactly(1, 1, 0, 0, 0);
    assertThat(
            scores(Judge.exact("n"), Map.of("n", List.of("84", "eighty-four")), "Eighty-four", "4"))
        .containsExactly(1, 0);
  }

  @Test
  void aRowWithoutTheAnswerIsAnErrorThatNamesItsPlace() {
    assertThatThrownBy(() -> scores(Judge.exact("answer"), Map.of("solution", "84"), "84"))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("[a.jsonl:3] column \"answer\" must hold the answer")
        .hasMessageContaining("it has [solution]");
  }

  @Test
  void anExpressionIsFoundAnywhereInACompletion() {
    assertThat(scores(regex("\\d+", ""), Map.of(), "It is 84.", "I do not know."))
        .containsExactly(1, 0);
  }

  /** Models show their steps first, so the last match counts. */
  @Test
  void theGroupOfTheLastMatchIsComparedWithTheAnswer() {
    assertThat(
            scores(
                regex("#### *(-?[\\d.]+)", "answer"),
                Map.of("answer", "84"),
                "7 * 12: #### 84",
                "#### 12 #### 84",
                "#### 84 #### 12",
                "84",
                "####84."))
        .containsExactly(1, 1, 0, 0, 1);
  }

  @Test
  @Timeout(60)
  void anExpressionThatBacktracksWithoutEndIsAnError() {
    assertThatThrownBy(() -> scores(regex("(a|aa)+\\1b", ""), Map.of(), "a".repeat(60)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[a.jsonl:3] the regular expression (a|aa)+\\1b must decide");
    assertThatThrownBy(() -> scores(regex("(?:a|b)*c", ""), Map.of(), "ab".repeat(1_000_000)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("write it without nested repetitions");
  }

  @Test
  void lengthsAreCountedInTokens() {
    String[] texts = {"ab", "abcd", "abcdefg"};
    assertThat(scores(Judge.shorter(), Map.of(), texts)).containsExactly(-2, -4, -7);
    assertThat(scores(Judge.longer(), Map.of(), texts)).containsExactly(2, 4, 7);
    assertThat(scores(Judge.length(5), Map.of(), texts)).containsExactly(-3, -1, -2);
  }

  @Test
  void completionsWithoutTheirNumberOfTokensHaveNoLength() {
    SampledPrompt prompt =
        new SampledPrompt(
            new RowOrigin("a.jsonl", 3, 2),
            new SampledPrompt.Prompt("p", List.of()),
            Map.of(),
            Map.of(),
            List.of(new SampledPrompt.Completion(0, "a", -1)));
    assertThatThrownBy(() -> Judge.shorter().scores(prompt))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[a.jsonl:3] completion 1 must say its number of \"tokens\"");
  }

  @Test
  void withoutASchemaEveryJsonValuePasses() {
    assertThat(
            scores(
                Judge.json(Optional.empty()),
                Map.of(),
                "{\"a\": [1, null]}",
                " 5 ",
                "",
                "{\"a\": 1} and more",
                "{a: 1}",
                "NaN",
                "[".repeat(9999)))
        .containsExactly(1, 1, 0, 0, 0, 0, 0);
  }

  @Test
  void aSchemaDecidesWhichValuesPass() throws IOException {
    Path schema =
        Files.writeString(
            folder.resolve("s.json"),
            """
            {"type": "object", "required": ["city"], "additionalProperties": false,
             "properties": {"city": {"type": "string", "minLength": 1}, "people": {"type": "integer"}}}
            """);
    assertThat(
            scores(
                Judge.json(Optional.of(schema)),
                Map.of(),
                "{\"city\": \"Ottawa\"}",
                "{\"city\": \"\"}",
                "{}",
                "{\"city\": \"a\", \"x\": 1}",
                "[]",
                "{\"city\": \"a\", \"people\": 1.5}",
                "{\"city\": \"a\", \"people\": 2}"))
        .containsExactly(1, 0, 0, 0, 0, 0, 1);
  }

  @Test
  void aSchemaThatIsNoneOrPointsElsewhereIsAnError() throws IOException {
    Path broken = Files.writeString(folder.resolve("b.json"), "{\"type\": ");
    assertThatThrownBy(() -> Judge.json(Optional.of(broken)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("b.json] a JSON schema must be JSON");
    Path list = Files.writeString(folder.resolve("l.json"), "[]");
    assertThatThrownBy(() -> Judge.json(Optional.of(list)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("must be an object");
    // Nothing listens on port 1; a reference is not fetched at all.
    Path remote =
        Files.writeString(folder.resolve("r.json"), "{\"$ref\": \"http://127.0.0.1:1/s\"}");
    assertThatThrownBy(() -> scores(Judge.json(Optional.of(remote)), Map.of(), "{}"))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("r.json] the schema cannot be applied");
  }

  private static double[] command(String command, String... texts) {
    return command(command, new Judge.CommandLimits(20, 64), texts);
  }

  private static double[] command(String command, Judge.CommandLimits limits, String... texts) {
    try (Judge judge = Judge.command(command, limits, 2)) {
      double[] scores = scores(judge, Map.of("answer", "84"), texts);
      judge.end();
      return scores;
    }
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aCommandReadsTheCompletionAndPassesWithCodeZero() {
    assertThat(command("grep -q 84", "It is 84.", "It is 48.")).containsExactly(1, 0);
    assertThat(command("cmp -s completion.txt -", "Größe\n", "")).containsExactly(1, 1);
    assertThat(command("grep -q '\"answer\":\"84\"' row.json && grep -q 'times 12' row.json", "x"))
        .containsExactly(1);
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void theTextOfAModelReachesNoShell() throws IOException {
    Path touched = folder.resolve("touched");
    String text = "$(touch " + touched + ") `touch " + touched + "`; touch " + touched + "\n'\"";
    assertThat(command("cat > /dev/null", text)).containsExactly(1);
    assertThat(touched).doesNotExist();
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void eachCompletionHasAFolderOfItsOwnThatIsGoneAfterwards() throws IOException {
    String once =
        "[ \"$(ls)\" = \"completion.txt\nrow.json\" ] && touch mine && pwd >> "
            + folder.resolve("seen");
    assertThat(command(once, "a", "b", "c")).containsExactly(1, 1, 1);
    List<String> seen = Files.readAllLines(folder.resolve("seen"));
    assertThat(seen).hasSize(3).doesNotHaveDuplicates();
    assertThat(seen).allSatisfy(place -> assertThat(Path.of(place)).doesNotExist());
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aCommandGetsNoVariableOfThisProcessButThePath() {
    assertThat(System.getenv())
        .as("a variable that is not passed on")
        .containsKey("PATH")
        .hasSizeGreaterThan(3);
    String others = "env | cut -d= -f1 | grep -vxE 'PATH|HOME|TMPDIR|LANG|PWD|SHLVL|_|OLDPWD'";
    assertThat(command("! { " + others + "; }", "a")).containsExactly(1);
  }

  @Test
  @Timeout(60)
  @DisabledOnOs(OS.WINDOWS)
  void aCommandThatDoesNotEndIsEndedWithItsChildren() throws Exception {
    Path pid = folder.resolve("pid");
    String command = "sh -c 'echo $$ > " + pid + "; exec sleep 1000'; true";
    assertThat(command(command, new Judge.CommandLimits(2, 64), "a")).containsExactly(0);
    long child = Long.parseLong(Files.readString(pid).strip());
    while (isRunning(child)) { // until the test's timeout: the system ends it a little later
      Thread.sleep(20);
    }
  }

  /** A process that has ended has no command, even if nobody has asked for its exit code. */
  private static boolean isRunning(long process) {
    return ProcessHandle.of(process).flatMap(handle -> handle.info().command()).isPresent();
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aCommandThatWritesMoreThanAllowedFails() {
    assertThat(command("head -c 60000 /dev/zero", "a")).containsExactly(1);
    assertThat(command("head -c 70000 /dev/zero", "a")).containsExactly(0);
    assertThat(command("head -c 70000 /dev/zero > file", "a")).containsExactly(0);
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aCommandThatIsNotThereIsAnErrorAndOneThatACompletionNamesIsNot() {
    assertThatThrownBy(() -> command("no-such-command", "a", "b"))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("the command \"no-such-command\" could not be run for any completion")
        .hasMessageContaining("not found");
    assertThat(command("sh completion.txt", "no-such-command", "exit 0")).containsExactly(0, 1);
  }

  @Test
  void scoresOfAFileBelongToThePromptsInTheirOrder() throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("s.jsonl"), "{\"scores\": [1, -2.5]}\n{\"scores\": [3]}\n");
    try (Judge judge = Judge.scoreFile(file)) {
      assertThat(scores(judge, Map.of(), "a", "b")).containsExactly(1, -2.5);
      assertThatThrownBy(judge::end)
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("s.jsonl:2] scores without a prompt");
    }
    try (Judge judge = Judge.scoreFile(file)) {
      assertThatThrownBy(() -> scores(judge, Map.of(), "a"))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("s.jsonl:1] wrong number of scores: the prompt has 1 completions");
    }
    Path words = Files.writeString(folder.resolve("w.jsonl"), "{\"scores\": [\"x\"]}\n");
    try (Judge judge = Judge.scoreFile(words)) {
      assertThatThrownBy(() -> scores(judge, Map.of(), "a"))
          .hasMessageContaining("w.jsonl:1] score that is not a finite number: score 1 is x");
      assertThatThrownBy(() -> scores(judge, Map.of(), "a"))
          .hasMessageContaining("must have a row of scores for each prompt but ends before");
    }
  }
}
