package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.dpo4j.OptionText;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Closes columns that are guessed at, roles that are lost, and rows that are unlike the first. */
class RowShapeTest {
  private static final String SIDES = "\"chosen\":\"w\",\"rejected\":\"l\"";

  private final Path folder;

  RowShapeTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {"prompt":"p","chosen":"w","rejected":"l"} | text
          {"chosen":"w","rejected":"l","system":"s"} | text, the prompt inside chosen and rejected
          {"chosen":"\\n\\nHuman: a\\n\\nAssistant: w","rejected":"\\n\\nHuman: a\\n\\nAssistant: l"} | text, the prompt inside chosen and rejected (Human/Assistant transcripts; data_format hh makes conversations of them)
          {"prompt":"p","instruction":"i","chosen":"w","rejected":"l"} | text
          {"prompt":"p","question":"q","input":"i","chosen":"w","rejected":"l","weight":1} | text, weighted
          {"instruction":"i","chosen":"w","rejected":"l"} | conversations, from alpaca columns
          {"instruction":"i","input":null,"chosen":"w","rejected":["l"]} | conversations, from alpaca columns
          {"question":"i","chosen":"w","rejected":"l"} | conversations, from the column "question"
          {"input":"i","chosen":"w","rejected":"l"} | conversations, from the column "input"
          {"prompt_ids":[1],"chosen_ids":[2],"rejected_ids":[3]} | token ids
          {"instruction":"i","chosen":[{"role":"user","content":"p"},{"role":"assistant","content":"w"}],"rejected":[{"role":"user","content":"p"},{"role":"assistant","content":"l"}]} | conversations, the prompt inside chosen and rejected
          {"conversations":[{"from":"human","value":"p"}],"chosen":{"from":"gpt","value":"w"},"rejected":{"from":"gpt","value":"l"}} | conversations, from sharegpt columns
          {"conversations":[{"from":"human","value":"p"}],"chosen":"w","rejected":["l"]} | conversations, from sharegpt columns
          {"messages":[{"role":"user","content":"p"}],"chosen":"w","rejected":"l"} | conversations, from the column "messages"
          {"messages":[{"role":"user","content":"p"}],"chosen":[{"role":"assistant","content":"w"}],"rejected":[{"role":"assistant","content":"l"}]} | conversations, from the column "messages"
          {"messages":[{"role":"user","content":"x"}],"chosen":[{"role":"user","content":"p"},{"role":"assistant","content":"w"}],"rejected":[{"role":"user","content":"p"},{"role":"assistant","content":"l"}]} | conversations, the prompt inside chosen and rejected
          {"conversation":[{"role":"user","content":"p"}],"chosen":{"role":"assistant","content":"w"},"rejected":{"role":"assistant","content":"l"}} | conversations, from sharegpt columns
          {"query":"q","chosen":"w","rejected":"l"} | conversations, from the column "query"
          {"prompt":"p","chosen_response":"w","rejected_response":"l"} | text, the sides "chosen_response" and "rejected_response"
          {"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"w"}],"rejected_response":"l"} | conversations, from ms-swift's columns
          {"prompt":"[{\\"role\\":\\"user\\",\\"content\\":\\"p\\"}]","chosen":"w","rejected":"l"} | conversations, the completions as strings
          {"weight":null,"prompt":"p","chosen":"w","rejected":"l"} | text
          """)
  void theFirstRowSaysWhatTheRowsAre(String row, String description) throws IOException {
    Path file = Files.writeString(folder.resolve("a.jsonl"), row);
    try (ExampleReader reader = ExampleReader.open(file)) {
      assertThat(reader.description()).isEmpty();
      assertThat(reader.next().orElseThrow().pairsOrThrow()).hasSize(1);
      assertThat(OptionText.plain(reader.description())).isEqualTo(description);
    }
  }

  @Test
  void sharegptRolesAreThoseOfChatTemplates() throws IOException {
    String call = "{\\\"name\\\":\\\"look\\\",\\\"arguments\\\":{\\\"x\\\":1}}";
    String row =
        """
        {"conversations":[{"from":"system","value":"s"},{"from":"human","value":"p"},\
        {"from":"function_call","value":"CALL"},{"from":"observation","value":"o","n":1}],\
        "chosen":{"from":"gpt","value":" w\\n"},"rejected":{"from":"function_call","value":"[CALL]"}}"""
            .replace("CALL", call);
    Example.Chat pair = (Example.Chat) pairs(row, RowFormat.AUTO).get(0);
    Map<String, Object> function = Map.of("name", "look", "arguments", Map.of("x", 1));
    Message calls =
        new Message(
            Map.of(
                "role",
                "assistant",
                "tool_calls",
                List.of(Map.of("type", "function", "function", function))));
    assertThat(pair.prompt())
        .containsExactly(
            Message.of("system", "s"),
            Message.of("user", "p"),
            calls,
            new Message(Map.of("role", "tool", "content", "o", "n", 1)));
    assertThat(pair.chosen()).containsExactly(Message.of("assistant", " w\n"));
    assertThat(pair.rejected()).containsExactly(calls);
  }

  @Test
  void sharegptToolsAreJsonOrNone() throws IOException {
    String row =
        """
        {"conversations":[{"from":"human","value":"p"}],"tools":"TOOLS",\
        "chosen":{"from":"gpt","value":"w"},"rejected":{"from":"gpt","value":"l"}}""";
    Example none = pairs(row.replace("TOOLS", ""), RowFormat.AUTO).get(0);
    Example one =
        pairs(row.replace("TOOLS", "[{\\\"name\\\":\\\"look\\\"}]"), RowFormat.AUTO).get(0);
    assertThat(((Example.Chat) none).templateVariables()).isEmpty();
    assertThat(((Example.Chat) one).templateVariables())
        .isEqualTo(Map.of("tools", List.of(Map.of("name", "look"))));
  }

  /** An explicit prompt of hh-rlhf's derivatives ends in the header that the sides follow. */
  @Test
  void transcriptsAreCutToTheCharacter() throws IOException {
    String row =
        """
        {"prompt":"\\n\\nHuman:  a \\n\\nAssistant: b\\n\\nHuman: c: Human: d\\n\\nAssistant:",\
        "chosen":" w\\n\\nmore ","rejected":" l\\n\\nHuman: e\\n\\nAssistant: f"}""";
    Example.Chat pair = (Example.Chat) pairs(row, RowFormat.HH).get(0);
    assertThat(pair.prompt())
        .containsExactly(
            Message.of("user", " a "),
            Message.of("assistant", "b"),
            Message.of("user", "c: Human: d"));
    assertThat(pair.chosen()).containsExactly(Message.of("assistant", "w\n\nmore "));
    assertThat(pair.rejected())
        .containsExactly(
            Message.of("assistant", "l"), Message.of("user", "e"), Message.of("assistant", "f"));
  }

  @Test
  void aStringBesideCompletionsOnlyIsTheUsersTurn() throws IOException {
    String row =
        """
        {"prompt":" p","chosen":[{"role":"assistant","content":"w"}],\
        "rejected":[[{"role":"assistant","content":"l"}],[{"from":"gpt","value":"m"}]]}""";
    List<Example> pairs = pairs(row, RowFormat.AUTO);
    assertThat(pairs).extracting(pair -> pair.origin().rejectedIndex()).containsExactly(1, 2);
    assertThat(pairs.get(1))
        .isEqualTo(
            new Example.Chat(
                pairs.get(1).origin(),
                List.of(Message.of("user", " p")),
                List.of(Message.of("assistant", "w")),
                List.of(Message.of("assistant", "m")),
                Map.of()));
    assertThat(pairs.get(1).origin()).asString().endsWith("a.jsonl:1, rejected 2]");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          AUTO | {"question":"q","input":"i",S} | two columns that could be the prompt
          AUTO | {"question":"q","instruction":"i",S} | two columns that could be the prompt
          AUTO | {"instruction":"","input":null,S} | empty prompt
          AUTO | {"instruction":"i","history":[["a"]],S} | wrong exchange in "history"
          AUTO | {"instruction":"i","system":5,S} | wrong type of field "system"
          AUTO | {"question":null,S} | null in field "question"
          AUTO | {"chosen":{"role":"assistant","content":"w"},"rejected":{"role":"assistant","content":"l"}} | one message as chosen without one conversation
          AUTO | {"prompt":"p","chosen":"w","rejected":["l",5]} | rejected completion that is not a string
          AUTO | {"prompt":"p","chosen":"w","rejected":["l","w"]} | identical chosen and rejected
          AUTO | {"prompt":"p","chosen":"w","rejected":["l",""]} | empty rejected
          AUTO | {"prompt":"p","chosen":"w","rejected":[]} | empty rejected
          AUTO | {"prompt":"p","chosen":"w","rejected":[{"role":"assistant","content":"l"}]} | rejected completion that is not a string
          AUTO | {"prompt":[U],"chosen":[A],"rejected":[[U],5]} | rejected completion that is not a list of messages
          AUTO | {"prompt":[U],"chosen":[A],"rejected":[[]]} | empty rejected
          AUTO | {"prompt":[U],"chosen":[A],"rejected":"l"} | wrong type of field "rejected"
          AUTO | {"prompt":[U],"chosen":[U,A],"rejected":[U,U]} | prompt repeated inside chosen and rejected
          AUTO | {"prompt":"other","chosen":[U,A],"rejected":[U,U]} | prompt that is no turn of the messages
          AUTO | {"prompt":"p","chosen":[A],"rejected":[U,A]} | no shared turn that could be the prompt
          AUTO | {"conversations":[],"chosen":A,"rejected":U} | prompt without messages
          AUTO | {"conversations":[U],"chosen":A,"rejected":U} | rejected that is not the assistant's turn
          AUTO | {"conversations":[U,A],"chosen":A,"rejected":A} | conversation that waits for no answer
          AUTO | {"conversations":[U],"chosen":A,"rejected":[]} | empty rejected
          AUTO | {"conversations":[U],"chosen":A,"rejected":[5]} | message that is not an object in "rejected"
          AUTO | {"conversations":[{"from":"system","value":"t"},U],"system":"s","chosen":A,"rejected":A} | two system messages
          AUTO | {"conversations":[{"from":"bard","value":"p"}],"chosen":A,"rejected":A} | unknown role in "conversations"
          AUTO | {"conversations":[{"from":"human","value":5}],"chosen":A,"rejected":A} | message without text content in "conversations"
          AUTO | {"conversations":[U],"chosen":{"from":"function_call","value":"look(x)"},"rejected":A} | function call that is not JSON
          AUTO | {"conversations":[U],"chosen":{"from":"function_call","value":"[null]"},"rejected":A} | function call without name or arguments
          HH | {S} | no transcript in "chosen"
          HH | {"chosen":"\\n\\nHuman: a","rejected":"\\n\\nHuman: a"} | transcript that ends in the human's turn in "chosen"
          HH | {"chosen":"\\n\\nHuman: a\\n\\nAssistant: w","rejected":"\\n\\nHuman: a\\n\\nAssistant:"} | empty rejected
          ALPACA | {"prompt":"p",S} | row that does not fit data_format alpaca
          TOKEN_IDS | {"prompt":"p",S} | row that does not fit data_format token_ids
          TEXT | {"prompt":[U],"chosen":[A],"rejected":[U]} | wrong type of field "prompt"
          MESSAGES | {S} | text without a prompt
          AUTO | {"history":"p",S} | no prompt, but a column "history"
          AUTO | {"messages":"p",S} | no prompt, but a column "messages"
          AUTO | {"query":"q","question":"i",S} | two columns that could be the prompt
          AUTO | {"messages":[U],"rejected_response":"l"} | conversation without the chosen answer
          AUTO | {"input":{"prompt":"p"},"preferred_output":[A],"non_preferred_output":[A]} | null in field "prompt"
          AUTO | {"prompt":[U],"chosen":[A],"rejected":[U]} | prompt repeated inside rejected
          AUTO | {"prompt":[U],"chosen":[{"role":"user","content":"q"}],"rejected":[A]} | chosen that begins with the user's turn
          AUTO | {"prompt":[U],"chosen":[{"role":"system","content":"s"},A],"rejected":[A]} | chosen that begins with the system's turn
          AUTO | {"chosen":[{"role":"system","content":"s"},U,A],"rejected":[{"role":"system","content":"s"},{"role":"user","content":"q"},A]} | chosen that begins with the user's turn
          AUTO | {"prompt":[{"role":"System","content":"p"}],"chosen":[A],"rejected":[A]} | misspelt role in "prompt"
          AUTO | {"prompt":[U],"chosen":[{"role":"assistnat","content":"w"}],"rejected":[A]} | misspelt role in "chosen"
          AUTO | {"prompt":[U],"chosen":[A],"rejected":[{"role":"asistant ","content":"l"}]} | misspelt role in "rejected"
          AUTO | {"prompt":"Name a fruit.","chosen":"Name a fruit.  Apple","rejected":"\\n Name a fruit."} | prompt repeated inside chosen and rejected
          AUTO | {"prompt":"[{'role': 'user', 'content': 'p'}]",S} | messages in Python's notation in "prompt"
          AUTO | {"weight":0,"prompt":"p",S} | weight that is not above 0 and finite
          AUTO | {"weight":-1,"prompt":"p",S} | weight that is not above 0 and finite
          AUTO | {"weight":1e999,"prompt":"p",S} | weight that is not above 0 and finite
          AUTO | {"weight":1e101,"prompt":"p",S} | weight that is not from 1e-100 to 1e100
          AUTO | {"weight":5e-324,"prompt":"p",S} | weight that is not from 1e-100 to 1e100
          AUTO | {"weight":"x","prompt":"p",S} | weight that is not above 0 and finite
          AUTO | {"weight":"NaN","prompt":"p",S} | weight that is not above 0 and finite
          AUTO | {"weight":true,"prompt":"p",S} | wrong type of field "weight"
          """)
  void whatIsAmbiguousOrBrokenIsABadRow(RowFormat format, String row, String reason)
      throws IOException {
    String json =
        row.replace("S}", SIDES + "}")
            .replace("U", "{\"role\":\"user\",\"content\":\"p\"}")
            .replace("A}", "{\"role\":\"assistant\",\"content\":\"w\"}}")
            .replaceAll("A([],])", "{\"role\":\"assistant\",\"content\":\"w\"}$1");
    assertThat(read(json, format).get(0).problem())
        .hasMessageStartingWith("[" + folder.resolve("a.jsonl"))
        .extracting(problem -> problem.reason())
        .satisfies(found -> assertThat(OptionText.plain(found)).isEqualTo(reason));
  }

  /** With fewer than 12 characters an answer may begin like its prompt by chance. */
  @ParameterizedTest
  @CsvSource({
    "a,a b,a c",
    "Hello there,Hello there you,Hello there",
    "Name a fruit.,Name a fruit. Apple,Kiwi"
  })
  void anAnswerMayBeginLikeAShortPromptOrOneAnswerLikeALongOne(
      String prompt, String chosen, String rejected) throws IOException {
    String row =
        "{\"prompt\":\"%s\",\"chosen\":\"%s\",\"rejected\":\"%s\"}"
            .formatted(prompt, chosen, rejected);
    assertThat(pairs(row, RowFormat.AUTO)).hasSize(1);
  }

  @Test
  void textBecomesTurnsWithTheFormatMessages() throws IOException {
    String row = "{\"prompt\":\" p\",\"system\":\"s\"," + SIDES + "}";
    Example pair = pairs(row, RowFormat.MESSAGES).get(0);
    assertThat(pair)
        .isEqualTo(
            new Example.Chat(
                pair.origin(),
                List.of(Message.of("system", "s"), Message.of("user", " p")),
                List.of(Message.of("assistant", "w")),
                List.of(Message.of("assistant", "l")),
                Map.of()));
  }

  @Test
  void messagesAsJsonTextStayTextWithTheFormatText() throws IOException {
    String row = "{\"prompt\":\"[{\\\"role\\\":\\\"user\\\"}]\"," + SIDES + "}";
    Example pair = pairs(row, RowFormat.TEXT).get(0);
    assertThat(((Example.Text) pair).prompt()).isEqualTo("[{\"role\":\"user\"}]");
  }

  @Test
  void aSystemColumnThatIsNotTrainedOnIsKnown() throws IOException {
    String rows =
        """
        {"prompt":"p",S,"system":"","history":[]}
        {"prompt":"p",S,"system":"Be brief.","history":[]}
        """
            .replace("S", SIDES);
    Path file = Files.writeString(folder.resolve("a.jsonl"), rows);
    try (ExampleReader reader = ExampleReader.open(file)) {
      reader.forEach(row -> assertThat(row.pairs()).hasSize(1));
      assertThat(reader.lostColumns())
          .isEqualTo(Map.of("system", new RowOrigin(file.toString(), 2, 2)));
      assertThat(reader.form()).contains(RowForm.TEXT);
    }
    try (ExampleReader reader = ExampleReader.open(file, RowFormat.MESSAGES)) {
      reader.forEach(row -> assertThat(row.pairs()).hasSize(1));
      assertThat(reader.lostColumns()).isEmpty();
    }
  }

  @Test
  void aRowUnlikeTheFirstNamesBoth() throws IOException {
    String rows =
        """
        {"prompt":"p"}
        {"prompt":"p",S}
        {"prompt":[{"role":"user","content":"p"}],S}
        {"instruction":"p",S}
        {"prompt":"p",S,"weight":1}
        {"prompt":"p",S}
        """
            .replace("S", SIDES);
    List<Row> read = read(rows, RowFormat.AUTO);
    assertThat(read)
        .extracting(row -> row.problem() == null ? "good" : row.problem().reason())
        .containsExactly(
            "missing field \"chosen\"",
            "good",
            "another shape than the first row",
            "missing field \"prompt\"",
            "field \"weight\" that the first row does not have",
            "good");
    String file = folder.resolve("a.jsonl").toString();
    assertThat(read.get(2).problem())
        .hasMessage(
            ("[F:3] another shape than the first row: this row is \"conversations, the completions"
                    + " as strings\" but [F:2] is \"text\"; write all rows of a file alike")
                .replace("F", file));
  }

  @Test
  void aWeightMayBeTextSinceTablesHaveNoNumbers() throws IOException {
    assertThat(pairs("{\"weight\":\" 2.5e-1\",\"prompt\":\"p\"," + SIDES + "}", RowFormat.AUTO))
        .extracting(pair -> pair.numbers().weight().orElse(0))
        .containsExactly(0.25);
  }

  /** trl#6472, #6079, #6498, #6703: off by one, and an index before the first character. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          `ab`   | `abc`  | `a`   | `b`   | `bc`
          `abc`  | `ab`   | `a`   | `bc`  | `b`
          `a`    | `ab`   | ``    | `a`   | `ab`
          `x y`  | `x z`  | `x`   | ` y`  | ` z`
          `x  y` | `x  z` | `x `  | ` y`  | ` z`
          ` y`   | ` z`   | ``    | ` y`  | ` z`
          `Yes ` | `No`   | ``    | `Yes `| `No`
          `x `   | `x y`  | `x`   | ` `   | ` y`
          `😀a`  | `😀b`  | `😀`  | `a`   | `b`
          `😀`   | `😁`   | ``    | `😀`  | `😁`
          `a😀`  | `a😀b` | `a`   | `😀`  | `😀b`
          """)
  void anImplicitPromptEndsBeforeTheFirstDifference(
      String chosen, String rejected, String prompt, String w, String l) throws IOException {
    String row = "{\"chosen\":\"%s\",\"rejected\":\"%s\"}".formatted(chosen, rejected);
    Example pair = pairs(row, RowFormat.AUTO).get(0);
    assertThat(pair).isEqualTo(new Example.Text(pair.origin(), prompt, w, l));
  }

  private List<Example> pairs(String row, RowFormat format) throws IOException {
    return read(row, format).get(0).pairsOrThrow();
  }

  private List<Row> read(String rows, RowFormat format) throws IOException {
    Path file = Files.writeString(folder.resolve("a.jsonl"), rows);
    List<Row> read = new ArrayList<>();
    try (ExampleReader reader = ExampleReader.open(file, format)) {
      reader.forEach(read::add);
    }
    return read;
  }
}
