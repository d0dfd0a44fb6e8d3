package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.RowForm;
import org.dpo4j.data.RowFormat;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files from the field that were read in another meaning than their authors', or not at all. */
class FieldCasesTest {
  private static final Path CASES = Path.of("src", "test", "resources", "field-cases");

  @ParameterizedTest
  @ValueSource(strings = {"messages", "conversations"})
  void aConversationBesideStringsIsThePrompt(String name) throws IOException {
    EncodedRow row = rows(CASES.resolve("prompt-column/" + name + ".jsonl"), RowFormat.AUTO).get(0);
    assertThat(row.texts().prompt()).contains("Name a fruit.");
    assertThat(row.texts().completions().get(0)).startsWith("Apple");
    assertThat(row.texts().completions().get(1)).startsWith("Brick");
    assertThat(row.warnings()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          one_side      | prompt repeated inside chosen:
          behind_system | prompt repeated inside chosen and rejected:
          text          | prompt repeated inside chosen and rejected:
          role          | rejected that begins with the user's turn:
          spelling      | misspelt role in "chosen": turn 1 of "chosen" has the role "assistent"; write "assistant"
          """)
  void aPromptThatWouldBeTrainedTwiceIsABadRow(String name, String says) {
    Path file = CASES.resolve("prompt-twice/" + name + ".jsonl");
    assertThatThrownBy(() -> rows(file, RowFormat.AUTO))
        .isInstanceOf(BadRowException.class)
        .hasMessageStartingWith("[" + file + ":1] " + says);
  }

  @ParameterizedTest
  @CsvSource({
    "nan.jsonl,score",
    "big.jsonl,id",
    "index.csv,Unnamed: 0",
    "semi.csv,",
  })
  void aColumnThatIsIgnoredNeedNotBeReadable(String name, String ignored) throws IOException {
    List<EncodedRow> rows = new ArrayList<>();
    ExampleDataset.ReadSummary walk =
        ExampleDataset.forEachRow(
            CASES.resolve("ignored-column/" + name),
            LlamaFixture.encoder(0),
            OnBadRow.STOP,
            rows::add);
    assertThat(rows).singleElement().extracting(row -> row.texts().prompt()).isEqualTo("a");
    assertThat(rows.get(0).texts().completions().get(0)).startsWith(" b");
    assertThat(rows.get(0).texts().completions().get(1)).startsWith(" c");
    assertThat(walk.ignoredColumns())
        .isEqualTo(ignored == null ? java.util.Set.of() : java.util.Set.of(ignored));
  }

  @Test
  void anEmptyPromptIsCountedWithItsFirstRow(@TempDir Path folder) throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("a.jsonl"),
            """
        {"chosen": "Yes, it is.", "rejected": "Yes, it was."}
        {"chosen": "Apple", "rejected": "Brick"}
        {"chosen": "Pear", "rejected": "Stone"}
        """);
    ExampleDataset.ReadSummary walk =
        ExampleDataset.forEachRow(file, LlamaFixture.encoder(0), OnBadRow.STOP, row -> {});
    assertThat(walk.counts().warnings())
        .containsEntry(
            RowDoubts.EMPTY_PROMPT,
            new EncodingCounts.Tally(2, new RowOrigin(file.toString(), 2, 2)));
    assertThat(walk.forms()).containsExactly(RowForm.TEXT);
  }

  @Test
  void textIsRenderedByTheTemplateWhereTheUserSaysSo(@TempDir Path folder) throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("a.jsonl"),
            "{\"prompt\": \"Why?\", \"chosen\": \"So.\", \"rejected\": \"No.\"}");
    RowFormat text = RowFormat.AUTO;
    assertThat(rows(file, text).get(0).texts().prompt()).isEqualTo("Why?");
    assertThat(rows(file, RowFormat.MESSAGES).get(0).texts().prompt())
        .startsWith("<|im_start|>user")
        .contains("Why?")
        .endsWith("assistant\n");
  }

  /** All bad rows are counted before the run ends, the first five are shown. */
  @Test
  void allBadRowsAreCountedBeforeTheRunEnds(@TempDir Path folder) throws IOException {
    String good = "{\"prompt\":\"p\",\"chosen\":\" w\",\"rejected\":\" l\"}\n";
    String lacks = "{\"prompt\":\"p\",\"chosen\":\" w\"}\n";
    Path file =
        Files.writeString(
            folder.resolve("a.jsonl"),
            good + lacks + good.repeat(50) + lacks.repeat(5) + "{\n" + good);
    assertThatThrownBy(() -> rows(file, RowFormat.AUTO))
        .isInstanceOf(BadRowException.class)
        .hasMessageStartingWith("[%s:2] missing field \"rejected\": found ".formatted(file))
        .hasMessageContaining("\n[%s:53] missing field".formatted(file))
        .hasMessageContaining("\n[%s:56] missing field".formatted(file))
        .hasMessageNotContaining(":57]")
        .hasMessageEndingWith(
            "\n7 of 59 rows are bad: 1 invalid JSON, 6 missing field \"rejected\"; fix them, or"
                + " skip them with on_bad_row skip");
    Files.writeString(file, good + lacks);
    assertThatThrownBy(() -> rows(file, RowFormat.AUTO))
        .hasMessageEndingWith("\n1 of 2 rows is bad; fix it, or skip it with on_bad_row skip");
    Files.writeString(file, lacks);
    assertThatThrownBy(() -> rows(file, RowFormat.AUTO))
        .hasMessageNotContaining("on_bad_row")
        .hasMessageNotContaining("of 1 row");
  }

  private static List<EncodedRow> rows(Path file, RowFormat format) throws IOException {
    List<EncodedRow> rows = new ArrayList<>();
    ExampleDataset.forEachRow(
        DataInput.of(file, format), LlamaFixture.encoder(0), OnBadRow.STOP, 1, rows::add);
    return rows;
  }
}
