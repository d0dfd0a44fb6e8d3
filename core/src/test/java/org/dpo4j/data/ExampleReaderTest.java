package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes rows that vanish, are guessed at or are named by the wrong line, and torn files. */
class ExampleReaderTest {
  private static final String GOOD = "{\"prompt\":\"p\",\"chosen\":\"w\",\"rejected\":\"l\"}";

  private final Path folder;

  ExampleReaderTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void readsTheThreeShapesOfARow() throws IOException {
    List<Row> text = read("a.jsonl", GOOD);
    assertThat(text.get(0).pairsOrThrow().get(0))
        .isEqualTo(new Example.Text(text.get(0).origin(), "p", "w", "l"));

    List<Row> chat =
        read(
            "b.jsonl",
            """
            {"prompt":[{"role":"user","content":"p"}],"chosen":[{"role":"assistant","content":"w"}],\
            "rejected":[{"role":"assistant","content":"l"}]}""");
    assertThat(chat.get(0).pairsOrThrow().get(0))
        .isEqualTo(
            new Example.Chat(
                chat.get(0).origin(),
                List.of(Message.of("user", "p")),
                List.of(Message.of("assistant", "w")),
                List.of(Message.of("assistant", "l")),
                Map.of()));

    List<Row> ids =
        read("c.jsonl", "{\"prompt_ids\":[],\"chosen_ids\":[1,2],\"rejected_ids\":[3]}");
    assertThat(ids.get(0).pairsOrThrow().get(0))
        .isEqualTo(new Example.Ids(ids.get(0).origin(), List.of(), List.of(1, 2), List.of(3)));
  }

  @Test
  void messagesKeepEveryFieldInItsOrder() throws IOException {
    Row row =
        read(
                "a.jsonl",
                """
                {"prompt":[{"content":"p","name":"ann","role":"user","n":[1,2.5,null,true,9000000000]}],\
                "chosen":[{"role":"assistant","content":null,"tool_calls":[{"id":1}]}],\
                "rejected":[{"role":"assistant","content":"l"}]}""")
            .get(0);
    Map<String, Object> fields =
        ((Example.Chat) row.pairsOrThrow().get(0)).prompt().get(0).fields();
    assertThat(fields.keySet()).containsExactly("content", "name", "role", "n");
    assertThat(fields.get("n")).isEqualTo(Arrays.asList(1, 2.5, null, true, 9_000_000_000L));
  }

  @Test
  void linesAreCountedWithBlankLinesAndRowsWithout() throws IOException {
    String bad = "{\"prompt\":\"p\"}";
    List<Row> rows = read("a.jsonl", "\uFEFF" + GOOD + "\r\n\r\n  \t\n" + bad + "\n" + GOOD);
    assertThat(rows).extracting(row -> row.origin().line()).containsExactly(1, 4, 5);
    assertThat(rows).extracting(row -> row.origin().row()).containsExactly(1, 2, 3);
    assertThat(rows.get(1).problem())
        .hasMessage(
            "[%s:4] missing field \"chosen\": found \"prompt\" (a string)"
                .formatted(folder.resolve("a.jsonl")));
  }

  @Test
  void arrayElementsHaveTheLinesOnWhichTheyStart() throws IOException {
    List<Row> rows =
        read(
            "a.json",
            "\n[ "
                + GOOD
                + ",\n\n {\"prompt\":\n\"p\"},\n"
                + GOOD.replace("\"w\"", "\"],[}{\\\\\\\",\"")
                + "\n]\n");
    assertThat(rows).extracting(row -> row.origin().line()).containsExactly(2, 4, 6);
    assertThat(rows.get(1).problem()).hasMessageContaining("missing field \"chosen\"");
    assertThat(((Example.Text) rows.get(2).pairsOrThrow().get(0)).chosen()).isEqualTo("],[}{\\\",");
  }

  @Test
  void aBadElementOfAnArrayDoesNotEndTheReading() throws IOException {
    List<Row> rows = read("a.json", "[" + GOOD + ",{\"prompt\":nan},,42," + GOOD + ",]");
    assertThat(rows)
        .extracting(ExampleReaderTest::reason)
        .containsExactly(
            "good", "invalid JSON", "invalid JSON", "row is not an object", "good", "invalid JSON");
  }

  @Test
  void packedFilesReadAsTheirContent() throws IOException {
    Files.write(folder.resolve("a.jsonl.gz"), gzip(GOOD + "\n" + GOOD));
    Files.write(folder.resolve("a.JSON.GZ"), gzip("[" + GOOD + "]"));
    assertThat(read(folder.resolve("a.jsonl.gz"))).hasSize(2);
    assertThat(read(folder.resolve("a.JSON.GZ"))).hasSize(1);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {"prompt":"p","chosen":"w"}                        | missing field "rejected"
          {"prompt":"p","chosen":null,"rejected":"l"}        | null in field "chosen"
          {"prompt":null,"chosen":"w","rejected":"l"}        | null in field "prompt"
          {"prompt":"p","chosen":3,"rejected":"l"}           | prompt, chosen and rejected of different kinds
          {"prompt":"p","chosen":[],"rejected":[]}           | empty rejected
          {"prompt":"p","chosen":"","rejected":"l"}          | empty chosen
          {"prompt":"p","chosen":"w","rejected":""}          | empty rejected
          {"chosen":"","rejected":"l"}                       | empty chosen
          {"prompt":"p","chosen":"w","rejected":"w"}         | identical chosen and rejected
          {"chosen":"w","rejected":"w"}                      | identical chosen and rejected
          {"prompt":"p","chosen":"w","chosen":"v","rejected":"l"} | duplicate key
          {"prompt":"p","chosen":"w","rejected":"l"          | invalid JSON
          {"prompt":"p","chosen":"w","rejected":"l"} x       | invalid JSON
          {'prompt':'p'}                                     | invalid JSON
          {"prompt":"p","chosen":"w","rejected":"l","s":nan} | invalid JSON
          {"prompt":"p","chosen":"\\ud800","rejected":"l"}   | invalid Unicode
          {"prompt_ids":[1],"chosen_ids":[99999999999999999999],"rejected_ids":[2]} | number out of range
          {"prompt":[{"role":"user","content":"p","n":-Infinity}],"chosen":[{"role":"assistant","content":"w"}],"rejected":[{"role":"assistant","content":"l"}]} | number out of range
          ["p","w","l"]                                      | row is not an object
          {"prompt":"p","chosen":"w","rejected":"l","chosen_ids":[1]} | text and token ids in one row
          {"prompt_ids":[1],"chosen_ids":[2]}                | missing field "rejected_ids"
          {"prompt_ids":[1],"chosen_ids":[2],"rejected_ids":"3"} | wrong type of field "rejected_ids"
          {"prompt_ids":[1],"chosen_ids":[2],"rejected_ids":[-3]} | invalid token id in "rejected_ids"
          {"prompt_ids":[1.0],"chosen_ids":[2],"rejected_ids":[3]} | invalid token id in "prompt_ids"
          {"prompt_ids":[1],"chosen_ids":[2],"rejected_ids":[9999999999]} | invalid token id in "rejected_ids"
          {"prompt_ids":[1],"chosen_ids":[2],"rejected_ids":[2]} | identical chosen and rejected
          {"prompt_ids":[1],"chosen_ids":[],"rejected_ids":[2]} | empty chosen
          {"prompt":[],"chosen":[{"role":"assistant","content":"w"}],"rejected":[{"role":"assistant","content":"l"}]} | prompt without messages
          {"prompt":[{"role":"user","content":"p"}],"chosen":[],"rejected":[{"role":"assistant","content":"l"}]} | empty chosen
          {"prompt":[{"role":"user","content":"p"}],"chosen":[{"role":"assistant","content":""}],"rejected":[{"role":"assistant","content":"l"}]} | empty chosen
          {"prompt":[{"content":"p"}],"chosen":[{"role":"assistant","content":"w"}],"rejected":[{"role":"assistant","content":"l"}]} | message without role in "prompt"
          {"prompt":[{"role":"user"}],"chosen":[{"role":"assistant","content":"w"}],"rejected":[{"role":"assistant","content":"l"}]} | message without text content in "prompt"
          {"prompt":["p"],"chosen":[{"role":"assistant","content":"w"}],"rejected":[{"role":"assistant","content":"l"}]} | message that is not an object in "prompt"
          {"chosen":[{"role":"assistant","content":"w"}],"rejected":[{"role":"assistant","content":"l"}]} | no shared turn that could be the prompt
          """)
  void aRowThatIsNoPairSaysWhyAndWhere(String line, String reason) throws IOException {
    List<Row> rows = read("a.jsonl", "\n" + line + "\n");
    assertThat(rows).hasSize(1);
    assertThat(reason(rows.get(0))).isEqualTo(reason);
    assertThat(rows.get(0).problem())
        .hasMessageStartingWith("[" + folder.resolve("a.jsonl") + ":2] " + reason);
    assertThatThrownBy(rows.get(0)::pairsOrThrow).isSameAs(rows.get(0).problem());
  }

  @Test
  void invalidUtf8IsNamedByItsOffset() throws IOException {
    byte[] line = GOOD.getBytes(StandardCharsets.UTF_8);
    line[11] = (byte) 0xe9; // the p of the prompt, in Latin-1
    List<Row> rows = read("a.jsonl", line);
    assertThat(rows.get(0).problem())
        .hasMessageContaining("invalid UTF-8: byte 0xe9 at offset 11 of the row");
  }

  @Test
  void encodedHalvesOfASurrogatePairAreInvalidUtf8() throws IOException {
    byte[] line = GOOD.replace("\"p\"", "\"...\"").getBytes(StandardCharsets.UTF_8);
    byte[] half = {(byte) 0xed, (byte) 0xa0, (byte) 0x80};
    System.arraycopy(half, 0, line, 11, 3);
    assertThat(reason(read("a.jsonl", line).get(0))).isEqualTo("invalid UTF-8");
  }

  @Test
  void deepNestingIsABadRowAndNoStackOverflow() throws IOException {
    String deep = "{\"prompt\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}";
    assertThat(reason(read("a.jsonl", deep).get(0))).isEqualTo("invalid JSON");
  }

  @Test
  void aConversationThatBeginsTheOtherKeepsItsLastTurn() throws IOException {
    String first =
        "{\"role\":\"user\",\"content\":\"p\"},{\"content\":\"w\",\"role\":\"assistant\"}";
    String more = first + ",{\"role\":\"user\",\"content\":\"and?\"}";
    Row row = read("a.jsonl", "{\"chosen\":[" + first + "],\"rejected\":[" + more + "]}").get(0);
    Example.Chat pair = (Example.Chat) row.pairsOrThrow().get(0);
    assertThat(pair.prompt()).containsExactly(Message.of("user", "p"));
    assertThat(pair.chosen()).containsExactly(Message.of("assistant", "w"));
    assertThat(pair.rejected())
        .containsExactly(Message.of("assistant", "w"), Message.of("user", "and?"));
  }

  /** TRL 1.16 looks at the last character of chosen here and cuts in the wrong place. */
  @Test
  void aDifferenceInTheFirstCharacterLeavesNoPrompt() throws IOException {
    Row row = read("a.jsonl", "{\"chosen\":\"Yes \",\"rejected\":\"No\"}").get(0);
    assertThat(row.pairsOrThrow().get(0))
        .isEqualTo(new Example.Text(row.origin(), "", "Yes ", "No"));
  }

  @Test
  void aMissingPromptIsNotGuessedInAFileThatHasPrompts() throws IOException {
    String without = "{\"chosen\":\"a b\",\"rejected\":\"a c\"}";
    assertThat(reason(read("a.jsonl", GOOD + "\n" + without).get(1)))
        .isEqualTo("missing field \"prompt\"");
    assertThat(reason(read("b.jsonl", without + "\n" + GOOD).get(1)))
        .isEqualTo("another shape than the first row");
  }

  @Test
  void otherColumnsAreIgnoredByName() throws IOException {
    Path file = folder.resolve("a.jsonl");
    Files.writeString(
        file,
        "{\"prompt\":\"p\",\"chosen\":\"w\",\"rejected\":\"l\",\"source\":1}\n"
            + "{\"prompt\":\"p\",\"chosen\":\"w\",\"rejected\":\"l\",\"id\":1,\"source\":2}");
    try (ExampleReader reader = ExampleReader.open(file)) {
      reader.forEach(row -> assertThat(row.pairs()).hasSize(1));
      assertThat(reader.ignoredColumns()).containsExactly("id", "source");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"tools\":[{\"name\":\"f\"}]", "\"chat_template_kwargs\":{\"a\":1}"})
  void whatOnlyATemplateReadsIsRefusedWithPlainTextAndIds(String column) throws IOException {
    String ids = "{\"prompt_ids\":[1],\"chosen_ids\":[2],\"rejected_ids\":[3]}";
    for (String row : List.of(GOOD, ids)) {
      Row read = read("a.jsonl", row.replace("}", "," + column + "}")).get(0);
      assertThatThrownBy(read::pairsOrThrow)
          .isInstanceOf(BadRowException.class)
          .hasMessageContaining("without messages: ")
          .hasMessageContaining("would have no effect");
    }
    String nothing = GOOD.replace("}", ",\"tools\":null,\"chat_template_kwargs\":{}}");
    assertThat(read("a.jsonl", nothing).get(0).pairsOrThrow()).isNotEmpty();
  }

  @Test
  void theColumnsOfTheTemplateBecomeItsVariablesAndTheKwargsWin() throws IOException {
    assertThat(variables("\"tools\":[{\"name\":\"f\",\"n\":null}],\"chat_template_kwargs\":null"))
        .isEqualTo("{tools=[{name=f, n=null}]}");
    assertThat(variables("\"tools\":\"[{\\\"name\\\":\\\"f\\\"}]\""))
        .isEqualTo("{tools=[{name=f}]}");
    assertThat(variables("\"tools\":[],\"chat_template_kwargs\":{\"enable_thinking\":false}"))
        .isEqualTo("{tools=[], enable_thinking=false}");
    assertThat(variables("\"tools\":[{}],\"chat_template_kwargs\":{\"tools\":null}"))
        .isEqualTo("{tools=null}");
    assertThat(variables("\"tools\":null")).isEqualTo("{}");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"tools\":3",
        "\"tools\":[\"f\"]",
        "\"tools\":\"not json\"",
        "\"tools\":\"3\"",
        "\"chat_template_kwargs\":\"{}\"",
        "\"chat_template_kwargs\":{\"tools\":1}",
        "\"chat_template_kwargs\":{\"documents\":[1]}",
        "\"chat_template_kwargs\":{\"add_generation_prompt\":true}",
        "\"chat_template_kwargs\":{\"messages\":[]}"
      })
  void columnsOfTheTemplateThatItCannotBeGivenAreBadRows(String column) {
    assertThatThrownBy(() -> variables(column)).isInstanceOf(BadRowException.class);
  }

  private String variables(String columns) throws IOException {
    String row =
        "{\"prompt\":[{\"role\":\"user\",\"content\":\"p\"}],"
            + "\"chosen\":[{\"role\":\"assistant\",\"content\":\"w\"}],"
            + "\"rejected\":[{\"role\":\"assistant\",\"content\":\"l\"}],"
            + columns
            + "}";
    Example.Chat chat = (Example.Chat) read("t.jsonl", row).get(0).pairsOrThrow().get(0);
    return chat.templateVariables().toString();
  }

  @Test
  void filesThatCannotBeReadSayWhatWasFound() throws IOException {
    assertThatThrownBy(() -> ExampleReader.open(folder.resolve("none.jsonl")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("must exist");
    assertThatThrownBy(() -> ExampleReader.open(folder)).hasMessageContaining("this is a folder");
    assertThatThrownBy(() -> read("a.txt", GOOD)).hasMessageContaining("must be named .jsonl");
    assertThatThrownBy(() -> read("a.jsonl", "\n \n")).hasMessageContaining("holds none");
    assertThatThrownBy(() -> read("a.json", "")).hasMessageContaining("holds none");
    assertThatThrownBy(() -> read("a.json", "[]")).hasMessageContaining("holds none");
    assertThatThrownBy(() -> read("a.json", GOOD.replace("{", "{\n")))
        .hasMessageContaining("a.json:1] a file of JSON must be an array of objects")
        .hasMessageContaining("goes on over several lines");
    assertThatThrownBy(() -> read("a.json", "[" + GOOD + "]]"))
        .hasMessageContaining("nothing must follow");
    assertThatThrownBy(() -> read("a.json", "[" + GOOD + ",\n{\"prompt\":\"p"))
        .hasMessageContaining("a.json:2] the array must be closed");
    assertThatThrownBy(() -> read("a.jsonl.gz", GOOD)).hasMessageContaining("GZIP");
    assertThatThrownBy(() -> read("a.jsonl", GOOD.getBytes(StandardCharsets.UTF_16)))
        .hasMessageContaining("UTF-16");
    byte[] packed = gzip((GOOD + "\n").repeat(1000));
    assertThatThrownBy(() -> read("cut.jsonl.gz", Arrays.copyOf(packed, packed.length / 2)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("readable to its end");
  }

  @Test
  void theContentTellsAnArrayFromLinesWhateverTheNameSays() throws IOException {
    String array = "[\n" + GOOD + ",\n" + GOOD + "\n]\n";
    String lines = GOOD + "\n\n" + GOOD + "\n";
    assertThat(read("array.jsonl", array)).extracting(r -> r.origin().line()).containsExactly(2, 3);
    assertThat(read("lines.json", lines)).extracting(r -> r.origin().line()).containsExactly(1, 3);
    assertThat(read("lines.json", "\uFEFF" + lines)).hasSize(2);
  }

  @Test
  void pythonsNotationIsNamed() throws IOException {
    assertThat(read("a.jsonl", "{'prompt': 'p', 'chosen': 'w'}").get(0).problem())
        .hasMessageEndingWith(
            "the row is in Python's notation, with single quotes; write rows with json.dumps(row)");
  }

  /** cat of files that begin with byte order marks. */
  @Test
  void aByteOrderMarkAtTheStartOfALineIsNoPartOfIt() throws IOException {
    assertThat(read("a.jsonl", GOOD + "\n\uFEFF" + GOOD))
        .extracting(ExampleReaderTest::reason)
        .containsExactly("good", "good");
  }

  @Test
  void bytesBehindPackedDataAreNotTakenForItsEnd() throws IOException {
    byte[] one = gzip(GOOD + "\n");
    byte[] two = Arrays.copyOf(one, 2 * one.length);
    System.arraycopy(one, 0, two, one.length, one.length);
    assertThat(read(Files.write(folder.resolve("two.jsonl.gz"), two))).hasSize(2);
    byte[] padded = Arrays.copyOf(one, one.length + 512);
    assertThat(read(Files.write(folder.resolve("padded.jsonl.gz"), padded))).hasSize(1);
    two[one.length + 1] ^= 1; // the second file's magic number
    assertThatThrownBy(() -> read("damaged.jsonl.gz", two))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("something that is not packed by gzip follows");
    byte[] garbage = Arrays.copyOf(one, one.length + 3);
    garbage[one.length] = 'x';
    assertThatThrownBy(() -> read("garbage.jsonl.gz", garbage))
        .hasMessageContaining("something that is not packed by gzip follows");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {"prompt":"p","good":"w","bad":"l"} | name the columns with columns chosen=good,rejected=bad
          {"prompt":"p","Answer_better":"w","answer_worse":"l"} | name the columns with columns chosen=Answer_better,rejected=answer_worse
          {"context":"p","winner":"w","loser":"l"} | name the columns with columns prompt=context,chosen=winner,rejected=loser
          {"id":1,"frage":"p","good":"w","bad":"l","good_score":2} | name the columns with columns prompt=frage,chosen=good,rejected=bad
          {"frage":"p","thema":"t","good":"w","bad":"l"} | name the columns with columns prompt=NAME,chosen=good,rejected=bad
          {"id":1,"good":"w","bad":"l"} | name the columns with columns chosen=good,rejected=bad
          {"prompt":"p","a":"w","b":"l"} | where it has another name, pass columns chosen=NAME
          """)
  void aMissingColumnNamesTheOnesThatMayBeMeant(String row, String hint) throws IOException {
    assertThat(read("a.jsonl", row).get(0).problem())
        .hasMessageContaining("missing field \"chosen\": found ")
        .hasMessageEndingWith("; " + hint);
    assertThat(read("b.jsonl", GOOD + "\n" + row).get(1).problem())
        .hasMessageContaining("missing field")
        .hasMessageNotContaining("columns");
  }

  private static String reason(Row row) {
    BadRowException problem = row.problem();
    return problem == null ? "good" : problem.reason();
  }

  private List<Row> read(String name, String content) throws IOException {
    return read(name, content.getBytes(StandardCharsets.UTF_8));
  }

  private List<Row> read(String name, byte[] content) throws IOException {
    return read(Files.write(folder.resolve(name), content));
  }

  private static List<Row> read(Path file) {
    List<Row> rows = new ArrayList<>();
    try (ExampleReader reader = ExampleReader.open(file)) {
      reader.forEach(rows::add);
    }
    return rows;
  }

  private static byte[] gzip(String text) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
    return bytes.toByteArray();
  }
}
