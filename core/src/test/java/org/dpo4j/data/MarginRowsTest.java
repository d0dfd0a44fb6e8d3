package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import org.dpo4j.DpoException;
import org.dpo4j.ExampleKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes: a pair that is trained with the offset of another, with one that its scores do not
 * define, or with one that nobody asked for.
 */
class MarginRowsTest {
  private static final String PAIR = "{\"prompt\":\"p\",\"chosen\":\"w\",\"rejected\":\"l\"";

  private final Path folder;

  MarginRowsTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** What the reader made of a file: its rows, and what it says of it. */
  private record Read(List<Row> rows, String description, List<String> ignored) {

    List<OptionalDouble> margins() {
      return rows.stream()
          .flatMap(row -> row.pairsOrThrow().stream())
          .map(pair -> pair.numbers().margin())
          .toList();
    }

    String problem(int row) {
      return String.valueOf(Objects.requireNonNull(rows.get(row).problem()).getMessage());
    }
  }

  private Read read(String name, String text, ColumnMapping columns, boolean margins)
      throws IOException {
    DataFile file = DataFile.of(Files.writeString(folder.resolve(name), text));
    List<Row> rows = new ArrayList<>();
    try (ExampleReader reader =
        ExampleReader.open(file, columns, RowFormat.AUTO, ExampleKind.PAIRS, margins)) {
      reader.forEach(rows::add);
      return new Read(rows, reader.description(), List.copyOf(reader.ignoredColumns()));
    }
  }

  /** Rows of one pair, each with further fields. */
  private Read jsonl(String... fields) throws IOException {
    StringBuilder text = new StringBuilder();
    for (String more : fields) {
      text.append(PAIR).append(more.isEmpty() ? "" : ",").append(more).append("}\n");
    }
    return read("a.jsonl", text.toString(), ColumnMapping.NONE, true);
  }

  private static String scores(Object chosen, Object rejected) {
    return "\"score_chosen\":%s,\"score_rejected\":%s".formatted(chosen, rejected);
  }

  /** ln(7 - 4), ln(-1 - -1.5), and the smallest difference of two doubles. */
  @Test
  void theMarginOfTwoScoresIsTheLogarithmOfTheirDifference() throws IOException {
    Read read = jsonl(scores(7, 4), scores(-1, -1.5), scores("4.9e-324", 0));
    assertThat(read.margins())
        .containsExactly(
            OptionalDouble.of(Math.log(3)),
            OptionalDouble.of(Math.log(0.5)),
            OptionalDouble.of(Math.log(Double.MIN_VALUE)));
    assertThat(read.description())
        .isEqualTo("text, the offset from \"score_chosen\" and \"score_rejected\"");
    assertThat(read.ignored()).isEmpty();
  }

  @Test
  void aMarginIsTakenAsItIs() throws IOException {
    Read read = jsonl("\"margin\":0.75", "\"margin\":-2", "\"margin\":0", "\"margin\":1e30");
    assertThat(read.margins())
        .extracting(OptionalDouble::getAsDouble)
        .containsExactly(0.75, -2.0, 0.0, 1e30);
    assertThat(read.description()).isEqualTo("text, the offset from \"margin\"");
    assertThat(read.ignored()).isEmpty();
  }

  @Test
  void tablesHaveTheNumbersAsText() throws IOException {
    Read read =
        read(
            "a.csv",
            "prompt,chosen,rejected,score_chosen,score_rejected\np,w,l, 2.5e0 ,1\np,w,l,x,1\n",
            ColumnMapping.NONE,
            true);
    assertThat(read.rows().get(0).pairsOrThrow().get(0).numbers().margin()).hasValue(Math.log(1.5));
    assertThat(read.problem(1))
        .endsWith(":3] score_chosen that is not a finite number: it is \"x\"");
  }

  @Test
  void otherColumnNamesAreMapped() throws IOException {
    assertThat(
            read(
                    "a.jsonl",
                    PAIR + ",\"good\":5,\"bad\":3,\"margin\":9}",
                    new ColumnMapping(Map.of("score_chosen", "good", "score_rejected", "bad")),
                    false)
                .ignored())
        .as("a loss without an offset")
        .containsExactly("margin", "score_chosen", "score_rejected");
    assertThat(
            read(
                    "a.jsonl",
                    PAIR + ",\"gap\":5,\"margin\":9}",
                    new ColumnMapping(Map.of("margin", "gap")),
                    true)
                .margins())
        .containsExactly(OptionalDouble.of(5));
  }

  /** A file of UltraFeedback's has scores, also equal ones; DPO has no use for them. */
  @Test
  void aLossWithoutAnOffsetReadsNoneOfTheColumns() throws IOException {
    Read read =
        read(
            "a.jsonl",
            PAIR + ",\"margin\":\"x\"," + scores("null", "[1]") + "}\n" + PAIR + "}",
            ColumnMapping.NONE,
            false);
    assertThat(read.margins()).containsExactly(OptionalDouble.empty(), OptionalDouble.empty());
    assertThat(read.description()).isEqualTo("text");
    assertThat(read.ignored()).containsExactly("margin", "score_chosen", "score_rejected");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          "score_chosen":3,"score_rejected":5   | score_chosen that is not above score_rejected: they are 3 and 5, and the offset is the logarithm of their difference; remove the row or, if its sides are the wrong way round, swap them
          "score_chosen":3,"score_rejected":3.0 | score_chosen that is not above score_rejected: they are 3 and 3.0, and
          "score_chosen":1e308,"score_rejected":-1e308 | scores whose difference is not a finite number: they are 1.0E308 and -1.0E308
          "score_chosen":1e999,"score_rejected":0 | score_chosen that is not a finite number: it is Infinity
          "score_chosen":0,"score_rejected":NaN | score_rejected that is not a finite number: it is NaN
          "score_chosen":1,"score_rejected":"-" | score_rejected that is not a finite number: it is "-"
          "score_chosen":1,"score_rejected":[1] | wrong type of field "score_rejected": must be a number but is a list
          "score_chosen":1,"score_rejected":null | null in field "score_rejected"
          "score_chosen":1                      | missing field "score_rejected"
          "other":1                             | missing field "score_chosen"
          "margin":1                            | field "margin" that the first row does not have: give every row of the file "score_chosen" and "score_rejected"
          "margin":1,"score_chosen":2,"score_rejected":1 | field "margin" that the first row does not have
          """)
  void aRowWithoutADefinedOffsetIsBad(String fields, String problem) throws IOException {
    Read read = jsonl(scores(2, 1), fields, scores(9, 1));
    assertThat(read.problem(1)).contains(":2] " + problem);
    assertThat(read.rows().get(2).pairsOrThrow().get(0).numbers().margin()).hasValue(Math.log(8));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          "margin":1.1e30        | margin that is not from -1e30 to 1e30
          "margin":-1.1e30       | margin that is not from -1e30 to 1e30
          "margin":Infinity      | margin that is not a finite number: it is Infinity
          "margin":null          | null in field "margin"
          "score_chosen":2,"score_rejected":1 | field "score_chosen" and "score_rejected" that the first row does not have: give every row of the file "margin"
          """)
  void aMarginThatIsNoNumberIsBad(String fields, String problem) throws IOException {
    assertThat(jsonl("\"margin\":1", fields).problem(1)).contains(":2] " + problem);
  }

  @Test
  void aFirstRowThatIsBrokenDecidesNothing() throws IOException {
    Read read = jsonl("\"margin\":null", scores(2, 1));
    assertThat(read.problem(0)).contains(":1] null in field \"margin\"");
    assertThat(read.rows().get(1).pairsOrThrow().get(0).numbers().margin()).hasValue(0);
  }

  @Test
  void aFileWithNeitherColumnOrWithBothIsRefusedAsAWhole() {
    assertThatThrownBy(() -> jsonl("\"score\":1"))
        .isInstanceOf(DpoException.class)
        .isNotInstanceOf(BadRowException.class)
        .hasMessageContaining(
            ":1] loss_type odpo needs a column \"margin\", or \"score_chosen\" and"
                + " \"score_rejected\", but the row has \"prompt\" (a string), \"chosen\" (a"
                + " string), \"rejected\" (a string), \"score\" (a number); where they have other"
                + " names, pass columns margin=NAME, or change the loss");
    assertThatThrownBy(() -> jsonl("\"margin\":1," + scores(2, 1)))
        .isInstanceOf(DpoException.class)
        .isNotInstanceOf(BadRowException.class)
        .hasMessageContaining(
            ":1] loss_type odpo takes the offset from \"margin\", or from \"score_chosen\" and"
                + " \"score_rejected\", but the row has both; remove one of them");
  }

  /** One margin cannot say how much better the chosen completion is than each of several. */
  @Test
  void severalRejectedCompletionsNeedRowsOfTheirOwn() throws IOException {
    String several = "{\"prompt\":\"p\",\"chosen\":\"w\",\"rejected\":[\"l\",\"m\"],\"margin\":1}";
    assertThat(read("a.jsonl", several, ColumnMapping.NONE, true).problem(0))
        .endsWith(
            "one margin for several rejected completions: write a row with its own margin or scores"
                + " for each of the 2");
    assertThat(read("b.jsonl", several.replace(",\"m\"", ""), ColumnMapping.NONE, true).margins())
        .containsExactly(OptionalDouble.of(1));
    assertThat(read("c.jsonl", several, ColumnMapping.NONE, false).rows().get(0).pairsOrThrow())
        .hasSize(2);
  }

  /** Other advice would train on the scores. */
  @Test
  void scoresAreNoSides() throws IOException {
    String row = "{\"prompt\":\"p\",\"good\":\"w\",\"bad\":\"l\"," + scores(2, 1) + "}";
    assertThat(read("a.jsonl", row, ColumnMapping.NONE, false).problem(0))
        .endsWith("name the columns with columns chosen=good,rejected=bad");
    String scored = "{\"text\":\"p\",\"good\":\"w\",\"bad\":\"l\",\"margin\":2}";
    assertThat(read("a.jsonl", scored, ColumnMapping.NONE, false).problem(0))
        .endsWith("name the columns with columns prompt=text,chosen=good,rejected=bad");
  }
}
