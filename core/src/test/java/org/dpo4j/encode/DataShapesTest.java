package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.RowFormat;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes a shape that gives other ids than the same pairs in TRL's columns: a role, a line break or
 * a space that is lost, a turn on the wrong side of the boundary.
 */
class DataShapesTest {
  private static final JsonMapper JSON = JsonMapper.shared();
  private static final Path PAGE = Path.of("..", "docs", "reference", "data-shapes.md");
  private static final Pattern BLOCK = Pattern.compile("(?s)```json\n(.*?)```");
  private static final Pattern FORMAT = Pattern.compile("`--data_format (\\w+)` (?:a|the) ");

  private final Path folder;

  DataShapesTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @TestFactory
  List<DynamicTest> bothRowsOfEverySectionOfThePageHaveTheSameIds() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (String section : Files.readString(PAGE).split("(?m)^##+ ")) {
      List<String> rows = BLOCK.matcher(section).results().map(block -> block.group(1)).toList();
      if (!rows.isEmpty()) {
        String name = section.lines().findFirst().orElseThrow();
        Matcher format = FORMAT.matcher(section);
        RowFormat first =
            format.find()
                ? RowFormat.valueOf(format.group(1).toUpperCase(Locale.ROOT))
                : RowFormat.AUTO;
        tests.add(
            DynamicTest.dynamicTest(
                name,
                () -> {
                  assertThat(rows).hasSize(2);
                  List<String> wild = ids("wild.json", "[" + rows.get(0) + "]", first);
                  List<String> trl = ids("trl.json", "[" + rows.get(1) + "]", RowFormat.AUTO);
                  assertThat(wild).isNotEmpty().isEqualTo(trl);
                }));
      }
    }
    assertThat(tests).hasSize(25);
    return tests;
  }

  /** TRL made the expected ids from these pairs in its own columns. */
  @TestFactory
  Stream<DynamicTest> recordedPairsHaveTrlsIdsInEveryShape() throws IOException {
    Map<String, Function<Pair, Optional<Map<String, ?>>>> shapes = new LinkedHashMap<>();
    shapes.put("MESSAGES listed", pair -> Optional.of(pair.listed()));
    shapes.put("AUTO listed", pair -> Optional.of(pair.listed()));
    shapes.put("AUTO strings after messages", pair -> Optional.of(pair.stringsAfterMessages()));
    shapes.put("AUTO whole conversations", pair -> Optional.of(pair.wholeConversations()));
    shapes.put("AUTO sharegpt", pair -> Optional.of(pair.sharegpt()));
    shapes.put("SHAREGPT role and content", pair -> Optional.of(pair.openai()));
    shapes.put("AUTO alpaca", pair -> Optional.of(pair.alpaca()));
    shapes.put("ALPACA listed", pair -> Optional.of(pair.alpaca()).map(Pair::listedText));
    shapes.put("AUTO question", pair -> pair.question("question"));
    shapes.put("AUTO input", pair -> pair.question("input"));
    shapes.put("AUTO query", pair -> pair.question("query"));
    shapes.put("ORCA prompt", pair -> pair.question("prompt"));
    shapes.put("MESSAGES prompt", pair -> pair.question("prompt"));
    shapes.put("AUTO messages and strings", pair -> Optional.of(pair.conversationAndStrings()));
    shapes.put("AUTO ms-swift", pair -> Optional.of(pair.swift()));
    shapes.put("AUTO OpenAI's preference format", pair -> Optional.of(pair.preferences()));
    shapes.put("AUTO torchtune", pair -> Optional.of(pair.torchtune()));
    shapes.put("AUTO JSON texts", Pair::jsonTexts);
    shapes.put("HH transcripts", Pair::transcripts);
    return shapes.entrySet().stream()
        .map(
            shape ->
                DynamicTest.dynamicTest(
                    shape.getKey(), () -> check(shape.getKey(), shape.getValue())));
  }

  private void check(String name, Function<Pair, Optional<Map<String, ?>>> shape)
      throws IOException {
    List<String> rows = new ArrayList<>();
    List<String> expected = new ArrayList<>();
    Path encode = LlamaFixture.FIXTURES.resolve("encode");
    List<String> pairs = Files.readAllLines(encode.resolve("chat_explicit.pairs.jsonl"));
    List<String> tokens = Files.readAllLines(encode.resolve("chat_explicit.tokens.jsonl"));
    for (int i = 0; i < pairs.size(); i++) {
      Optional<Map<String, ?>> row = shape.apply(Pair.of(JSON.readTree(pairs.get(i))));
      if (row.isPresent()) {
        rows.add(JSON.writeValueAsString(row.get()));
        JsonNode ids = JSON.readTree(tokens.get(i));
        expected.add(
            "%s %s %s 1.0"
                .formatted(
                    ids(ids, "prompt_ids"), ids(ids, "chosen_ids"), ids(ids, "rejected_ids")));
      }
    }
    assertThat(rows).hasSizeGreaterThan(5);
    RowFormat format = RowFormat.valueOf(name.split(" ")[0]);
    assertThat(ids("rows.jsonl", String.join("\n", rows), format)).isEqualTo(expected);
  }

  @Test
  void aRowWithAListIsOnePairForEachAndCountedSo() throws IOException {
    String rows =
        """
        {"chosen":"Say yes","rejected":["Say no","Say","Say no"],"weight":2}
        {"chosen":"Say a","rejected":["Say b","Say a"],"weight":1}
        {"chosen":"Say a","rejected":"Say b","weight":3}
        """;
    Path file = Files.writeString(folder.resolve("lists.jsonl"), rows);
    List<EncodedRow> seen = new ArrayList<>();
    ExampleDataset.ReadSummary walk =
        ExampleDataset.forEachRow(file, LlamaFixture.encoder(0), OnBadRow.SKIP, seen::add);
    assertThat(seen).extracting(row -> row.origin().row()).containsExactly(1, 1, 1, 2, 3);
    assertThat(seen).extracting(row -> row.origin().rejectedIndex()).containsExactly(1, 2, 3, 0, 0);
    assertThat(seen)
        .extracting(row -> row.usable().map(EncodedExample::weight).orElse(0.0))
        .containsExactly(2.0, 2.0, 2.0, 0.0, 3.0);
    assertThat(walk.counts().rows()).isEqualTo(3);
    assertThat(walk.counts().pairs()).isEqualTo(5);
    assertThat(walk.counts().summary())
        .startsWith(
            ("4 of 5 pairs kept from 3 rows; 1 bad and skipped: identical chosen and rejected"
                    + " (first [%s:2])")
                .formatted(file));
  }

  /** The cut leaves as many tokens of each side as "b c" has, and the first two begin with it. */
  @Test
  void aDroppedPairOfAListLeavesTheOthers() throws IOException {
    Path file = folder.resolve("ids.jsonl");
    Files.writeString(
        file, "{\"prompt\":\"a\",\"chosen\":\"b c d e f g\",\"rejected\":[\"b c d e f h\",\"x\"]}");
    int cut = tokens("a").length + tokens("b c").length;
    List<EncodedRow> seen = new ArrayList<>();
    ExampleDataset.ReadSummary walk =
        ExampleDataset.forEachRow(file, LlamaFixture.encoder(cut), OnBadRow.STOP, seen::add);
    assertThat(seen).extracting(row -> row.status().toString()).containsExactly("dropped", "cut");
    assertThat(walk.counts().summary()).startsWith("1 of 2 pairs kept from 1 row");
  }

  private static int[] tokens(String text) {
    return LlamaFixture.TOKENIZER.encode(text, false);
  }

  /** CSV has texts alone. */
  @Test
  void aTableOfLabelledCompletionsIsReadAsItsRowsInJson() throws IOException {
    String turn = "[{\"\"role\"\":\"\"%s\"\",\"\"content\"\":\"\"%s\"\"}]";
    String table =
        "prompt,completion,label\n\"%s\",\"%s\",False\n"
            .formatted(turn.formatted("user", "Sky?"), turn.formatted("assistant", "Green."));
    String row =
        """
        {"prompt":[{"role":"user","content":"Sky?"}],
         "completion":[{"role":"assistant","content":"Green."}],"label":false}""";
    assertThat(ids("labels.csv", table, RowFormat.AUTO))
        .hasSize(1)
        .isEqualTo(ids("labels.json", "[" + row + "]", RowFormat.AUTO));
    assertThat(ids("ids.csv", "prompt_ids,completion_ids\n\"[5,6]\",\"[7,8]\"\n", RowFormat.AUTO))
        .containsExactly("[5, 6] [7, 8] 1.0");
  }

  private List<String> ids(String name, String content, RowFormat format) throws IOException {
    Path file = Files.writeString(folder.resolve(name), content);
    return ExampleDataset.load(
            DataInput.of(file, format).readingWhatItIs(),
            List.of(),
            LlamaFixture.encoder(0),
            OnBadRow.STOP)
        .examples()
        .stream()
        .map(
            example ->
                "%s %s %s%s"
                    .formatted(
                        Arrays.toString(example.promptIds()),
                        example.completions().stream()
                            .map(completion -> Arrays.toString(completion.ids()))
                            .collect(Collectors.joining(" ")),
                        example.weight(),
                        example.isPair() || example.isDesirable() ? "" : " undesirable"))
        .toList();
  }

  private static String ids(JsonNode row, String field) {
    List<Integer> ids = new ArrayList<>();
    row.get(field).forEach(id -> ids.add(id.intValue()));
    return ids.toString();
  }

  private record Turn(String role, String content) {}

  /** A recorded pair, and how other tools would have written it. */
  private record Pair(List<Turn> prompt, String chosen, String rejected) {

    static Pair of(JsonNode row) {
      List<Turn> prompt = new ArrayList<>();
      row.get("prompt")
          .forEach(
              turn ->
                  prompt.add(
                      new Turn(turn.get("role").stringValue(), turn.get("content").stringValue())));
      return new Pair(
          prompt,
          row.get("chosen").get(0).get("content").stringValue(),
          row.get("rejected").get(0).get("content").stringValue());
    }

    Map<String, ?> listed() {
      return Map.of(
          "prompt", prompt,
          "chosen", List.of(new Turn("assistant", chosen)),
          "rejected", List.of(List.of(new Turn("assistant", rejected))));
    }

    Map<String, ?> stringsAfterMessages() {
      return Map.of("prompt", prompt, "chosen", chosen, "rejected", List.of(rejected));
    }

    Map<String, ?> wholeConversations() {
      return Map.of(
          "prompt",
          prompt.get(prompt.size() - 1).content() + "\n",
          "chosen",
          with(new Turn("assistant", chosen)),
          "rejected",
          with(new Turn("assistant", rejected)),
          "score_chosen",
          8.5);
    }

    Map<String, ?> conversationAndStrings() {
      return Map.of("messages", prompt, "chosen", chosen, "rejected", rejected);
    }

    Map<String, ?> swift() {
      return Map.of("messages", with(new Turn("assistant", chosen)), "rejected_response", rejected);
    }

    Map<String, ?> preferences() {
      return Map.of(
          "input",
          Map.of("messages", prompt, "tools", List.of(), "parallel_tool_calls", true),
          "preferred_output",
          List.of(new Turn("assistant", chosen)),
          "non_preferred_output",
          List.of(new Turn("assistant", rejected)));
    }

    Map<String, ?> torchtune() {
      return Map.of(
          "chosen_conversations", with(new Turn("assistant", chosen)),
          "rejected_conversations", with(new Turn("assistant", rejected)));
    }

    Optional<Map<String, ?>> jsonTexts() {
      return Optional.of(
          Map.of(
              "prompt", JSON.writeValueAsString(prompt),
              "chosen", JSON.writeValueAsString(List.of(new Turn("assistant", chosen))),
              "rejected", JSON.writeValueAsString(List.of(new Turn("assistant", rejected)))));
    }

    private List<Turn> with(Turn last) {
      List<Turn> all = new ArrayList<>(prompt);
      all.add(last);
      return all;
    }

    Map<String, ?> sharegpt() {
      Map<String, String> from = Map.of("user", "human", "assistant", "gpt", "system", "system");
      return Map.of(
          "conversations",
          prompt.stream()
              .map(turn -> Map.of("from", from.get(turn.role()), "value", turn.content()))
              .toList(),
          "chosen",
          Map.of("from", "gpt", "value", chosen),
          "rejected",
          List.of(Map.of("from", "gpt", "value", rejected)));
    }

    Map<String, ?> openai() {
      return Map.of(
          "messages", prompt,
          "chosen", new Turn("assistant", chosen),
          "rejected", new Turn("assistant", rejected));
    }

    /** The last turn is cut in two at its first line break, if it has one. */
    Map<String, ?> alpaca() {
      boolean hasSystem = prompt.get(0).role().equals("system");
      List<List<String>> history = new ArrayList<>();
      for (int i = hasSystem ? 1 : 0; i + 1 < prompt.size(); i += 2) {
        history.add(List.of(prompt.get(i).content(), prompt.get(i + 1).content()));
      }
      String last = prompt.get(prompt.size() - 1).content();
      int lineBreak = last.indexOf('\n');
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("instruction", lineBreak < 1 ? last : last.substring(0, lineBreak));
      row.put("input", lineBreak < 1 ? "" : last.substring(lineBreak + 1));
      row.put("history", history);
      row.put("system", hasSystem ? prompt.get(0).content() : null);
      row.put("chosen", chosen);
      row.put("rejected", rejected);
      return row;
    }

    static Map<String, ?> listedText(Map<String, ?> row) {
      Map<String, Object> listed = new LinkedHashMap<>(row);
      listed.put("rejected", Collections.singletonList(row.get("rejected")));
      return listed;
    }

    Optional<Map<String, ?>> question(String column) {
      boolean hasSystem = prompt.get(0).role().equals("system");
      if (prompt.size() > (hasSystem ? 2 : 1)) {
        return Optional.empty();
      }
      return Optional.of(
          Map.of(
              "system",
              hasSystem ? prompt.get(0).content() : "",
              column,
              prompt.get(prompt.size() - 1).content(),
              "chosen",
              chosen,
              "rejected",
              rejected));
    }

    Optional<Map<String, ?>> transcripts() {
      if (prompt.get(0).role().equals("system")) {
        return Optional.empty();
      }
      return Optional.of(Map.of("chosen", transcript(chosen), "rejected", transcript(rejected)));
    }

    private String transcript(String completion) {
      StringBuilder text = new StringBuilder();
      for (Turn turn : with(new Turn("assistant", completion))) {
        text.append(turn.role().equals("user") ? "\n\nHuman: " : "\n\nAssistant: ")
            .append(turn.content());
      }
      return text.toString();
    }
  }
}
