package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.config.SampleConfig;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes completions that belong to another prompt or other settings, that depend on the size of
 * the batch or on an interruption, and rows that are lost with the process.
 */
class SampleRunTest {

  private static final Path TINY_CHAT = Path.of("..", "examples", "tiny-chat");

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  SampleRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeEach
  void writePrompts() throws IOException {
    Files.writeString(
        folder.resolve("p.jsonl"),
        """
        {"prompt": "What is 7 times 12?", "answer": "84"}
        {"prompt": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Name a color."}]}

        {"prompt": "Hello"}
        {"prompt": "Name a city in Canada, please."}
        """);
  }

  private Map<String, Object> options(String output, Object... more) {
    Map<String, Object> options = new HashMap<>();
    options.put("model", TINY_CHAT);
    options.put("prompts_file", folder.resolve("p.jsonl"));
    options.put("output", folder.resolve(output));
    options.put("num_return_sequences", 3);
    options.put("max_new_tokens", 12);
    for (int i = 0; i < more.length; i += 2) {
      options.put((String) more[i], more[i + 1]);
    }
    return options;
  }

  private List<JsonNode> sample(String output, Object... more) throws IOException {
    SampleRun.run(SampleConfig.of(options(output, more)), output(out));
    return rows(output);
  }

  private List<JsonNode> rows(String name) throws IOException {
    return Files.readAllLines(folder.resolve(name)).stream()
        .map(JsonMapper.shared()::readTree)
        .toList();
  }

  private static List<String> texts(List<JsonNode> rows) {
    List<String> texts = new ArrayList<>();
    rows.forEach(
        row -> row.get("completions").forEach(each -> texts.add(each.get("text").asString())));
    return texts;
  }

  @Test
  void aLineHasThePromptAsItWasReadItsPlaceAndItsCompletions() throws IOException {
    List<JsonNode> rows = sample("a.jsonl");
    assertThat(rows).hasSize(4);
    JsonNode first = rows.get(0);
    assertThat(first.get("prompt"))
        .hasToString("[{\"role\":\"user\",\"content\":\"What is 7 times 12?\"}]");
    assertThat(first.get("file").asString()).endsWith("p.jsonl");
    assertThat(rows).extracting(row -> row.get("row").asInt()).containsExactly(1, 2, 3, 4);
    assertThat(rows).extracting(row -> row.get("line").asInt()).containsExactly(1, 2, 4, 5);
    assertThat(first.get("columns")).hasToString("{\"answer\":\"84\"}");
    assertThat(rows.get(2).has("columns")).isFalse();
    assertThat(rows.get(1).get("prompt").size()).isEqualTo(3);
    for (JsonNode row : rows) {
      assertThat(row.get("completions").size()).isEqualTo(3);
      for (JsonNode completion : row.get("completions")) {
        assertThat(completion.get("cumulative_logprob").asDouble()).isNegative();
        int tokens = completion.get("tokens").asInt();
        assertThat(tokens).isBetween(1, 13);
        if (tokens < 12) {
          assertThat(completion.get("finish_reason").asString()).isEqualTo("stop");
        }
      }
    }
    assertThat(texts(rows)).doesNotHaveDuplicates();
    assertThat(text(out)).contains("4 prompts, 12 completions,", "written to ");
    assertNothingButOutput("a.jsonl");
  }

  @Test
  void withoutTheTemplateAPromptIsItsText() throws IOException {
    Files.writeString(folder.resolve("p.txt"), "Once upon\n");
    List<JsonNode> rows = sample("a.jsonl", "raw", true, "prompts_file", folder.resolve("p.txt"));
    assertThat(rows.get(0).get("prompt").asString()).isEqualTo("Once upon");
  }

  @Test
  void completionsDependOnTheSeedAndNotOnTheBatch() throws IOException {
    List<JsonNode> rows = sample("a.jsonl");
    List<JsonNode> others = sample("b.jsonl", "generation_batch_size", 2);
    assertThat(texts(others)).isEqualTo(texts(rows));
    for (int i = 0; i < rows.size(); i++) {
      for (int j = 0; j < 3; j++) {
        assertThat(logProb(others, i, j)).isCloseTo(logProb(rows, i, j), within(1e-4));
      }
    }
    assertThat(texts(sample("c.jsonl", "seed", 1))).doesNotContainAnyElementsOf(texts(rows));
  }

  private static double logProb(List<JsonNode> rows, int row, int completion) {
    return rows.get(row).get("completions").get(completion).get("cumulative_logprob").asDouble();
  }

  @Test
  void greedyCompletionsAreThoseOfGenerate() throws IOException {
    List<JsonNode> rows = sample("a.jsonl", "temperature", 0, "num_return_sequences", 1);
    GenerateRun.run(
        GenerateConfig.of(
            Map.of(
                "model",
                TINY_CHAT,
                "prompts_file",
                folder.resolve("p.jsonl"),
                "max_new_tokens",
                12)),
        output(out));
    List<String> generated =
        text(out)
            .lines()
            .filter(line -> line.startsWith("{"))
            .map(line -> JsonMapper.shared().readTree(line).get("completion").asString())
            .toList();
    assertThat(texts(rows)).isEqualTo(generated);
  }

  /** Ends the run as an error does in the middle of the file. */
  private void interruptAfter(int prompts) {
    Progress progress =
        (task, done, total, note) -> {
          if (done == prompts) {
            throw new IllegalStateException("interrupted here");
          }
        };
    RunOutput stopping = new RunOutput(RunFixture.stream(out), RunFixture.stream(out), progress);
    assertThatThrownBy(
            () ->
                SampleRun.run(
                    SampleConfig.of(options("a.jsonl", "generation_batch_size", 3)), stopping))
        .hasMessage("interrupted here");
  }

  private Path partial() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".partial")).findFirst().orElseThrow();
    }
  }

  @Test
  void anInterruptedRunContinuesAfterItsLastCompleteLine() throws IOException {
    List<JsonNode> whole = sample("whole.jsonl");
    interruptAfter(2);
    assertThat(folder.resolve("a.jsonl")).doesNotExist();
    assertThat(Files.readAllLines(partial())).hasSize(2);
    Files.writeString(
        partial(), Files.readString(partial()) + "{\"prompt\":\"cut o", StandardCharsets.UTF_8);

    List<JsonNode> rows = sample("a.jsonl", "resume", true);

    assertThat(rows).extracting(row -> row.get("row").asInt()).containsExactly(1, 2, 3, 4);
    assertThat(texts(rows)).isEqualTo(texts(whole));
    assertThat(text(out)).contains("2 of 4 prompts completed before", "2 prompts, 6 comp");
    assertNothingButOutput("a.jsonl", "whole.jsonl");
  }

  @Test
  void rowsOfAnInterruptedRunAreNotOverwritten() throws IOException {
    interruptAfter(1);
    byte[] before = Files.readAllBytes(partial());
    assertThatThrownBy(() -> sample("a.jsonl"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("holds 1 rows of an interrupted run with the same inputs and options")
        .hasMessageContaining("pass resume true");
    assertThat(partial()).hasBinaryContent(before);
  }

  @Test
  void rowsOfOtherSettingsAreNotContinued() throws IOException {
    interruptAfter(1);
    List<JsonNode> rows = sample("a.jsonl", "seed", 7, "resume", true);
    assertThat(texts(rows)).isEqualTo(texts(sample("b.jsonl", "seed", 7)));
    assertThat(partial()).exists();
  }

  @Test
  void aBadPromptStopsTheRunBeforeTheFirstCompletion() throws IOException {
    Files.writeString(
        folder.resolve("p.jsonl"),
        "{\"prompt\": \"a\"}\n{\"prompt\": \"" + "word ".repeat(3000) + "\"}\n");
    assertThatThrownBy(() -> sample("a.jsonl"))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("p.jsonl:2] a prompt must have from 1 to 1023 tokens");
    assertNothingButOutput();
  }

  @Test
  void outputTouchesNothingThatIsRead() {
    assertThatThrownBy(() -> sample("p.jsonl"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("output must not touch what this run reads");
  }

  @Test
  void equalCompletionsAreRefused() {
    assertThatThrownBy(() -> sample("a.jsonl", "temperature", 0))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("num_return_sequences must be 1 with temperature 0");
  }

  private void assertNothingButOutput(String... names) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      List<String> expected = new ArrayList<>(List.of(names));
      expected.add("p.jsonl");
      assertThat(files.map(file -> file.getFileName().toString()))
          .containsExactlyInAnyOrderElementsOf(expected);
    }
  }
}
