package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes formats that give other pairs than JSON Lines do, and damage that shows as a crash. */
class FileFormatsTest {
  /** Written by pyarrow, datasets and zstd: see make.py beside them. */
  private static final Path FILES = Path.of("src/test/resources/data-files");

  private final Path folder;

  FileFormatsTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @ParameterizedTest
  @CsvSource({
    "text-none.parquet, text.jsonl",
    "text-snappy.parquet, text.jsonl",
    "text-gzip.parquet, text.jsonl",
    "text-zstd.parquet, text.jsonl",
    "text-lz4.parquet, text.jsonl",
    "text-v2.parquet, text.jsonl",
    "text-plain.parquet, text.jsonl",
    "text-delta.parquet, text.jsonl",
    "text-large.parquet, text.jsonl",
    "text-datasets.parquet, text.jsonl",
    "text.jsonl.zst, text.jsonl",
    "chat-snappy.parquet, chat.jsonl",
    "chat-v2.parquet, chat.jsonl",
    "chat-datasets.parquet, chat.jsonl",
    "ids-int32.parquet, ids.jsonl",
    "ids-int64.parquet, ids.jsonl"
  })
  void givesThePairsOfTheSameRowsAsJsonLines(String file, String same) {
    assertThat(values(FILES.resolve(file)))
        .hasSizeGreaterThan(4)
        .isEqualTo(values(FILES.resolve(same)));
  }

  @Test
  void aParquetRowIsNamedByItsNumber() throws IOException {
    try (RowSource source = DataFile.of(FILES.resolve("text-none.parquet")).open()) {
      assertThat(source.next().orElseThrow().line()).isZero();
    }
    assertThat(read(FILES.resolve("chat-snappy.parquet")).get(3).origin())
        .hasToString("[" + FILES.resolve("chat-snappy.parquet") + " row 4]");
  }

  @Test
  void parquetValuesOfEveryKindBecomePlainJava() throws IOException {
    try (RowSource source = DataFile.of(FILES.resolve("extra.parquet")).open()) {
      Map<?, ?> first = source.next().orElseThrow().columns(new RowOrigin("f", 0, 1));
      assertThat(first.get("ok")).isEqualTo(true);
      assertThat(first.get("f")).isEqualTo(0.5);
      assertThat(first.get("d")).isEqualTo(1e300);
      assertThat(first.get("big")).isEqualTo(1L << 40);
      assertThat(first.get("blob")).isEqualTo(new byte[] {(byte) 0xff, (byte) 0xfe});
      assertThat(first.get("deep"))
          .isEqualTo(Arrays.asList(Arrays.asList(1, null), List.of(), null));
      assertThat(first.get("m")).hasToString("{a=1, b=null}");
      Map<?, ?> second = source.next().orElseThrow().columns(new RowOrigin("f", 0, 2));
      assertThat(second.keySet().toString())
          .isEqualTo("[prompt, chosen, rejected, ok, f, d, n, big, blob, m, deep]");
      assertThat(second.values().stream().filter(value -> value == null)).hasSize(8);
      assertThat(source.next()).isEmpty();
    }
    assertThat(values(FILES.resolve("extra.parquet"))).hasSize(2);
  }

  @Test
  void anUnsupportedCodecIsNamed() {
    assertThatThrownBy(() -> read(FILES.resolve("text-brotli.parquet")))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("column prompt is packed by BROTLI");
  }

  @Test
  void csvCellsAreTextWhateverTheyLookLike() throws IOException {
    List<Row> rows =
        read(
            "a.csv",
            """
            \uFEFFprompt,chosen,rejected,n\r
            "a ""quoted"" word, and\r
            a line",12,true,1\r

            [1],"[{""a"": 1}]","",2
            p,w\rv, l ,""");
    assertThat(rows).extracting(row -> row.origin().line()).containsExactly(2, 5, 6);
    assertThat(rows.get(0).pairsOrThrow().get(0))
        .isEqualTo(
            new Example.Text(
                rows.get(0).origin(), "a \"quoted\" word, and\r\na line", "12", "true"));
    assertThat(rows.get(1).problem()).hasMessageContaining("empty rejected");
    assertThat(rows.get(2).pairsOrThrow().get(0))
        .isEqualTo(new Example.Text(rows.get(2).origin(), "p", "w\rv", " l "));
  }

  @Test
  void csvCellsHoldMessagesAndIdsAsJson() throws IOException {
    String message = "\"[{\"\"role\"\": \"\"%s\"\", \"\"content\"\": \"\"%s\"\"}]\"";
    Row chat =
        read(
                "a.tsv",
                "chosen\trejected\tprompt\n%s\t%s\t%s\n"
                    .formatted(
                        message.formatted("assistant", "w"),
                        message.formatted("assistant", "l"),
                        message.formatted("user", "p")))
            .get(0);
    assertThat(chat.pairsOrThrow().get(0))
        .isEqualTo(
            new Example.Chat(
                chat.origin(),
                List.of(Message.of("user", "p")),
                List.of(Message.of("assistant", "w")),
                List.of(Message.of("assistant", "l")),
                Map.of()));
    Row ids = read("b.csv", "prompt_ids,chosen_ids,rejected_ids\n[],\"[1,2]\",[3]").get(0);
    assertThat(ids.pairsOrThrow().get(0))
        .isEqualTo(new Example.Ids(ids.origin(), List.of(), List.of(1, 2), List.of(3)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          p,w                          | wrong number of cells
          p,w,l,                       | wrong number of cells
          "p"q,w,l                     | text behind a closing quote
          p,,l                         | null in field "chosen"
          "[{'role': 'user'}]",w,l     | messages in Python's notation in "prompt"
          """,
      quoteCharacter = '`')
  void aBadCsvRowHasItsLineAndEndsNothing(String line, String reason) throws IOException {
    List<Row> rows = read("a.csv", "prompt,chosen,rejected\n\n" + line + "\np,w,l\n");
    assertThat(rows).hasSize(2);
    assertThat(rows.get(0).problem())
        .hasMessageStartingWith("[%s:3] %s".formatted(folder.resolve("a.csv"), reason));
    assertThat(rows.get(1).problem()).isNull();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          prompt,chosen,chosen     | :1] the first line must name each column once but cell 3 is a
          prompt,,chosen           | but cell 2 is empty
          prompt,chosen,rejected   | at least one row
          a,b,c~x,"y,z~1,2,3       | :2] a quote must be closed
          """)
  void aCsvFileWithoutRowsToTellIsRefused(String content, String says) {
    assertThatThrownBy(() -> read("a.csv", content.replace('~', '\n')))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(says);
  }

  @Test
  void aCsvRowBeyondTheLimitIsBadAndNotHeld() throws IOException {
    String many = "x".repeat(RowSource.MAX_ROW_BYTES) + ",x,x\n" + ",".repeat(20_000) + "\np,w,l";
    List<Row> rows = read("a.csv", "prompt,chosen,rejected\n" + many);
    assertThat(rows).extracting(row -> row.problem() == null).containsExactly(false, false, true);
    assertThat(rows.get(1).problem()).hasMessageContaining(":3] row too long");
  }

  @Test
  void randomTextsSurviveCsv() throws IOException {
    Random random = new Random(7);
    String alphabet = "a,\"\n\r\t é€😀[{'";
    List<List<String>> rows = new ArrayList<>();
    StringBuilder csv = new StringBuilder("prompt,chosen,rejected\n");
    for (int i = 0; i < 300; i++) {
      List<String> row = new ArrayList<>();
      for (String side : List.of("p", "w", "l")) {
        StringBuilder text = new StringBuilder(side);
        for (int n = random.nextInt(8); n > 0; n--) {
          int at = random.nextInt(alphabet.codePointCount(0, alphabet.length()));
          text.appendCodePoint(alphabet.codePointAt(alphabet.offsetByCodePoints(0, at)));
        }
        row.add(text.toString());
      }
      rows.add(row);
      csv.append(
              String.join(
                  ",", row.stream().map(cell -> '"' + cell.replace("\"", "\"\"") + '"').toList()))
          .append(i % 2 == 0 ? "\n" : "\r\n");
    }
    assertThat(read("a.csv", csv.toString()))
        .extracting(
            row -> {
              Example.Text pair = (Example.Text) row.pairsOrThrow().get(0);
              return List.of(pair.prompt(), pair.chosen(), pair.rejected());
            })
        .isEqualTo(rows);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "text-snappy.parquet",
        "text-zstd.parquet",
        "text-gzip.parquet",
        "text-delta.parquet",
        "chat-v2.parquet",
        "ids-int64.parquet",
        "text.jsonl.zst"
      })
  void damageIsOneMessageOrOtherValuesAndNeverACrash(String name) throws IOException {
    byte[] whole = Files.readAllBytes(FILES.resolve(name));
    Random random = new Random(11);
    for (int i = 0; i < 150; i++) {
      byte[] damaged = whole.clone();
      if (i % 4 == 0) {
        damaged = Arrays.copyOf(whole, random.nextInt(whole.length));
      } else {
        for (int n = 1 + random.nextInt(3); n > 0; n--) {
          damaged[random.nextInt(whole.length)] = (byte) random.nextInt(256);
        }
      }
      Path file = Files.write(folder.resolve(name), damaged);
      try {
        read(file);
      } catch (DpoException e) {
        assertThat(e).hasMessageStartingWith("[" + file).hasMessageContaining(";");
      }
    }
  }

  @Test
  void aMappedColumnTakesTheNameAndTheFileSaysWhatItLacks() throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("a.csv"), "question,good,bad,prompt\nq,w,l,hidden\nq,w,w,hidden\n");
    ColumnMapping mapping =
        new ColumnMapping(Map.of("prompt", "question", "chosen", "good", "rejected", "bad"));
    try (ExampleReader reader = ExampleReader.open(DataFile.of(file), mapping, RowFormat.AUTO)) {
      Row row = reader.next().orElseThrow();
      assertThat(row.pairsOrThrow().get(0))
          .isEqualTo(new Example.Text(row.origin(), "q", "w", "l"));
      assertThat(reader.ignoredColumns()).containsExactly("prompt");
    }
    try (ExampleReader reader =
        ExampleReader.open(
            DataFile.of(file), new ColumnMapping(Map.of("chosen", "best")), RowFormat.AUTO)) {
      assertThatThrownBy(reader::next)
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("a.csv:2] columns chosen=best needs a column \"best\"")
          .hasMessageContaining("\"question\", \"good\", \"bad\", \"prompt\"");
    }
  }

  @Test
  void columnsCanChangePlaces() throws IOException {
    Path file = Files.writeString(folder.resolve("a.csv"), "prompt,chosen,rejected\np,w,l\n");
    ColumnMapping swap = new ColumnMapping(Map.of("chosen", "rejected", "rejected", "chosen"));
    try (ExampleReader reader = ExampleReader.open(DataFile.of(file), swap, RowFormat.AUTO)) {
      Row row = reader.next().orElseThrow();
      assertThat(row.pairsOrThrow().get(0))
          .isEqualTo(new Example.Text(row.origin(), "p", "l", "w"));
      assertThat(reader.ignoredColumns()).isEmpty();
    }
  }

  private static List<Object> values(Path file) {
    return read(file).stream().map(FileFormatsTest::values).toList();
  }

  private static Object values(Row row) {
    Example pair = row.pairsOrThrow().get(0);
    if (pair instanceof Example.Text text) {
      return List.of(text.prompt(), text.chosen(), text.rejected());
    } else if (pair instanceof Example.Chat chat) {
      return List.of(chat.prompt(), chat.chosen(), chat.rejected());
    }
    Example.Ids ids = (Example.Ids) pair;
    return List.of(ids.prompt(), ids.chosen(), ids.rejected());
  }

  private List<Row> read(String name, String content) throws IOException {
    return read(Files.writeString(folder.resolve(name), content));
  }

  private static List<Row> read(Path file) {
    List<Row> rows = new ArrayList<>();
    try (ExampleReader reader = ExampleReader.open(file)) {
      reader.forEach(rows::add);
    }
    return rows;
  }
}
