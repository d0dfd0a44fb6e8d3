package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.dpo4j.ExampleKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Closes: a thumb down that counts as a thumb up, and completions that are read as prompts. */
class CompletionRowsTest {

  private final Path folder;

  CompletionRowsTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private List<Row> rows(String name, String text, ExampleKind kind) throws IOException {
    Path file = Files.writeString(folder.resolve(name), text);
    List<Row> rows = new ArrayList<>();
    try (ExampleReader reader =
        ExampleReader.open(DataFile.of(file), ColumnMapping.NONE, RowFormat.AUTO, kind, false)) {
      reader.forEach(rows::add);
    }
    return rows;
  }

  private Row row(String json, ExampleKind kind) throws IOException {
    return rows("a.jsonl", json, kind).get(0);
  }

  private String description(String json, ExampleKind kind) throws IOException {
    Path file = Files.writeString(folder.resolve("a.jsonl"), json);
    try (ExampleReader reader =
        ExampleReader.open(DataFile.of(file), ColumnMapping.NONE, RowFormat.AUTO, kind, false)) {
      reader.next();
      return reader.description();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          LABELED | {"prompt":"p","completion":"c","label":true} | text, labelled
          LABELED | {"prompt":[{"role":"user","content":"p"}],"completion":[{"role":"assistant","content":"c"}],"label":false} | conversations, labelled
          LABELED | {"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"c"}],"label":false} | conversations, the completion in their last turn, labelled
          LABELED | {"prompt_ids":[1],"completion_ids":[2],"label":1} | token ids, labelled
          LABELED | {"prompt":"p","chosen":"c","rejected":"d"} | text, each pair taken apart into two labelled completions
          DEMONSTRATIONS | {"prompt":"p","completion":"c"} | text
          DEMONSTRATIONS | {"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"c"}]} | whole conversations, from the column "messages"
          DEMONSTRATIONS | {"conversations":[{"from":"human","value":"p"},{"from":"gpt","value":"c"}]} | whole conversations, from the column "conversations"
          DEMONSTRATIONS | {"text":"c"} | whole texts
          DEMONSTRATIONS | {"instruction":"p","input":"i","output":"c"} | conversations, from alpaca columns
          DEMONSTRATIONS | {"prompt":"p","chosen":"c","rejected":"d"} | text, the chosen completions of pairs
          """)
  void theColumnsSayWhatTheRowsAre(ExampleKind kind, String json, String description)
      throws IOException {
    assertThat(description(json, kind)).isEqualTo(description);
    assertThat(row(json, kind).pairsOrThrow()).isNotEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {"prompt":"p","completion":"c"} | missing field "label"
          {"prompt":"p","completion":"c","label":null} | null in field "label"
          {"prompt":"p","completion":"c","label":"good"} | label that is neither true nor false
          {"prompt":"p","completion":"c","label":2} | label that is neither true nor false
          {"prompt":"p","completion":"","label":true} | empty completion
          {"prompt":"p","label":true} | missing field "completion"
          {"messages":[{"role":"user","content":"p"}],"label":true} | conversation that does not end in the assistant's turn
          {"prompt":[{"role":"user","content":"p"}],"completion":[{"role":"user","content":"c"}],"label":true} | completion that begins with the user's turn
          """)
  void aRowThatCannotBeUsedSaysWhy(String json, String reason) throws IOException {
    BadRowException problem = Objects.requireNonNull(row(json, ExampleKind.LABELED).problem());

    assertThat(problem.reason()).isEqualTo(reason);
  }

  @Test
  void labelsAreReadFromBooleansNumbersAndFilesWithoutTypes() throws IOException {
    String json =
        """
        {"prompt":"p","completion":"a","label":true}
        {"prompt":"p","completion":"b","label":0}
        {"prompt":"p","completion":"c","label":1.0}
        """;
    String csv = "prompt,completion,label\np,a,True\np,b,false\np,c,1\n";

    assertThat(roles(rows("a.jsonl", json, ExampleKind.LABELED)))
        .isEqualTo(roles(rows("a.csv", csv, ExampleKind.LABELED)))
        .containsExactly(CompletionRole.CHOSEN, CompletionRole.REJECTED, CompletionRole.CHOSEN);
  }

  @Test
  void aPairBecomesADesirableAndAnUndesirableCompletion() throws IOException {
    List<Example> apart =
        row("{\"prompt\":\"p\",\"chosen\":\"c\",\"rejected\":\"d\"}", ExampleKind.LABELED)
            .pairsOrThrow();

    assertThat(apart).hasSize(2);
    assertThat(((Example.Text) apart.get(0)).chosen()).isEqualTo("c");
    assertThat(((Example.Text) apart.get(1)).rejected()).isEqualTo("d");
  }

  private static List<CompletionRole> roles(List<Row> rows) {
    return rows.stream()
        .flatMap(row -> row.pairsOrThrow().stream())
        .map(example -> example.completions().get(0).role())
        .toList();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {"prompt":"p","chosen":"c","rejected":"d"} | PAIRS
          {"prompt":"p","completion":"c","label":true} | LABELED
          {"prompt":"p","completion":"c"} | DEMONSTRATIONS
          {"messages":[{"role":"user","content":"p"}],"rejected_messages":[]} | PAIRS
          {"messages":[{"role":"user","content":"p"}]} | DEMONSTRATIONS
          {"unknown":1} | PAIRS
          """)
  void theKindOfRowsIsRecognized(String json, ExampleKind kind) throws IOException {
    Path file = Files.writeString(folder.resolve("k.jsonl"), json);

    assertThat(DataInput.of(file).readingWhatItIs().kind()).isEqualTo(kind);
  }
}
