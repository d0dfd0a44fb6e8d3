package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.dpo4j.DpoException;
import org.dpo4j.ExampleKind;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.ColumnMapping;
import org.dpo4j.data.DataEntry;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.RowForm;
import org.dpo4j.data.RowFormat;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.demo.InstructionTokenizer;
import org.dpo4j.tokenizer.SpecialTokens;
import org.dpo4j.tokenizer.TextTokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes rows that are lost, counted twice or out of order between the file and the run. */
class ExampleDatasetTest {
  private static final String[] ROWS = {
    row("[1]", "[2]", "[3]"),
    row("[1,1,1,1]", "[2]", "[3]"),
    row("[1]", "[2,2,2,2]", "[3]"),
    row("[1]", "[2]", "[2]"),
    row("[1]", "[2,2,2,4]", "[2,2,2,5]"),
    row("[1]", "[2]", "[999]"),
    "{\"prompt_ids\":[1]}",
    row("[1]", "[4]", "[5]")
  };

  private final Path folder;
  private final Path file;

  ExampleDatasetTest(@TempDir Path folder) throws IOException {
    this.folder = folder;
    file = Files.writeString(folder.resolve("a.jsonl"), String.join("\n\n", ROWS));
  }

  @Test
  void everyRowMeetsOneFateAndTheFirstOfEachIsNamed() {
    ExampleDataset data = ExampleDataset.load(file, encoder(), OnBadRow.SKIP);
    assertThat(data.examples()).extracting(pair -> pair.origin().row()).containsExactly(1, 3, 8);
    EncodingCounts counts = data.counts();
    assertThat(counts.rows()).isEqualTo(8);
    assertThat(counts.kept()).isEqualTo(3);
    assertThat(counts.cut()).isEqualTo(1);
    assertThat(counts.dropped().keySet())
        .containsExactly(ExampleEncoder.SAME_AFTER_CUT, ExampleEncoder.PROMPT_TOO_LONG);
    assertThat(counts.bad())
        .containsEntry(
            "identical chosen and rejected",
            new EncodingCounts.Tally(1, new RowOrigin(file.toString(), 7, 4)))
        .containsOnlyKeys(
            "identical chosen and rejected",
            "missing field \"chosen_ids\"",
            "token id out of range");
    assertThat(data.readSummary().ignoredColumns()).containsExactly("n");
    assertThat(counts.summary())
        .isEqualTo(
            ("3 of 8 pairs kept, 1 of them cut by max_length;"
                    + " 1 dropped: chosen and rejected identical after the cut (first [F:9]);"
                    + " 1 dropped: prompt alone reaches max_length (first [F:3]);"
                    + " 1 bad and skipped: identical chosen and rejected (first [F:7]);"
                    + " 1 bad and skipped: missing field \"chosen_ids\" (first [F:13]);"
                    + " 1 bad and skipped: token id out of range (first [F:11])")
                .replace("F", file.toString()));
  }

  @Test
  void theFirstBadRowStopsTheRun() {
    List<EncodedRow> seen = new ArrayList<>();
    assertThatThrownBy(() -> ExampleDataset.forEachRow(file, encoder(), OnBadRow.STOP, seen::add))
        .isInstanceOf(BadRowException.class)
        .hasMessageStartingWith("[" + file + ":7] identical");
    assertThat(seen).hasSize(3);
  }

  /** The caller closes the native tokenizer then: a thread still in it would end the process. */
  @Test
  void aFailureComesOutOnlyWhenNoThreadTokenizesAnyMore() throws IOException {
    List<String> lines = new ArrayList<>(List.of(textRow("fails")));
    for (int i = 0; i < 40; i++) {
      lines.add(textRow("row " + i));
    }
    Files.write(file, lines);
    AtomicInteger working = new AtomicInteger();
    TextTokenizer slow =
        new TextTokenizer() {
          @Override
          public int[] encode(String text, boolean addSpecialTokens) {
            if (text.startsWith("fails")) {
              throw new DpoException("as told");
            }
            working.incrementAndGet();
            LockSupport.parkNanos(2_000_000);
            working.decrementAndGet();
            return text.chars().toArray();
          }

          @Override
          public String decode(int[] ids) {
            return "";
          }
        };
    ExampleEncoder encoder =
        new ExampleEncoder(
            slow, null, new SpecialTokens(null, "$", null), new EncodingLimits(0, 100, 256));

    assertThatThrownBy(() -> load(encoder, OnBadRow.STOP, 4)).hasMessage("as told");
    assertThat(working).hasValue(0);
  }

  private static String textRow(String prompt) {
    return "{\"prompt\":\"%s\",\"chosen\":\" a\",\"rejected\":\" b\"}".formatted(prompt);
  }

  @Test
  void everyRowHasOneResultInTheOrderOfTheFile() throws IOException {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      lines.add(i % 7 == 3 ? "{}" : row("[" + i % 200 + "]", "[2]", "[3]"));
    }
    Files.write(file, lines);
    List<EncodedRow> rows = new ArrayList<>();
    ExampleDataset.ReadSummary walk =
        ExampleDataset.forEachRow(file, encoder(), OnBadRow.SKIP, rows::add);
    assertThat(rows).hasSize(1000);
    for (int i = 0; i < 1000; i++) {
      assertThat(rows.get(i).origin().row()).isEqualTo(i + 1);
      int prompt = i % 200;
      if (i % 7 == 3) {
        assertThat(rows.get(i).status()).hasToString("dropped");
        assertThat(rows.get(i).reason()).startsWith("missing field");
      } else {
        assertThat(rows.get(i).usable().orElseThrow().promptIds()).containsExactly(prompt);
      }
    }
    assertThat(walk.counts().rows()).isEqualTo(1000);
    assertThat(walk.counts().kept()).isEqualTo(857); // i = 3, 10, ..., 997 are 143 rows
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 8})
  void anyNumberOfThreadsGivesTheSame(int threads) throws IOException {
    Random random = new Random(3);
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 3000; i++) {
      String row = ROWS[random.nextInt(ROWS.length)];
      lines.add(random.nextInt(5) == 0 ? row("[" + i % 250 + "]", "[2,3]", "[3]") : row);
    }
    Files.write(file, lines);
    ExampleDataset one = load(encoder(), OnBadRow.SKIP, 1);
    ExampleDataset several = load(encoder(), OnBadRow.SKIP, threads);
    assertThat(words(several.examples())).isEqualTo(words(one.examples()));
    assertThat(several.counts().summary()).isEqualTo(one.counts().summary());
    assertThat(several.cut()).isEqualTo(one.cut()).isEqualTo(one.counts().cut());
    assertThat(several.readSummary().ignoredColumns())
        .isEqualTo(one.readSummary().ignoredColumns());
    assertThat(several.readSummary().description()).isEqualTo(one.readSummary().description());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 8})
  void aBadRowAmongManyStopsAtItsLineAfterAllBefore(int threads) throws IOException {
    List<String> lines = new ArrayList<>(Collections.nCopies(2000, ROWS[0]));
    lines.set(1203, ROWS[3]);
    lines.set(1204, ROWS[5]); // bad in another way
    Files.write(file, lines);
    List<EncodedRow> seen = new ArrayList<>();
    assertThatThrownBy(
            () ->
                ExampleDataset.forEachRow(
                    DataInput.of(file), encoder(), OnBadRow.STOP, threads, seen::add))
        .isInstanceOf(BadRowException.class)
        .hasMessageStartingWith("[" + file + ":1204] identical");
    assertThat(seen).extracting(row -> row.origin().row()).hasSize(1203).isSorted();
  }

  /** The rows before the damage are whole, and what is wrong with one of them is met first. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void aBadRowBeforeDamageIsTheOneReported(int threads) throws IOException {
    Path packed = folder.resolve("a.jsonl.gz");
    String text = (ROWS[0] + "\n").repeat(20_000) + ROWS[3] + "\n" + ROWS[0];
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
    byte[] whole = bytes.toByteArray();
    Files.write(packed, Arrays.copyOf(whole, whole.length - 6)); // all text, half a checksum
    DataInput input = DataInput.of(packed);
    assertThatThrownBy(
            () -> ExampleDataset.forEachRow(input, encoder(), OnBadRow.STOP, threads, row -> {}))
        .hasMessageStartingWith("[" + packed + ":20001] identical")
        .hasMessageContaining("\nthe reading ended there: ")
        .hasMessageContaining("readable to its end");
    assertThatThrownBy(
            () -> ExampleDataset.forEachRow(input, encoder(), OnBadRow.SKIP, threads, row -> {}))
        .hasMessageContaining("readable to its end");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void aDefectOfTheTokenizerComesOutAsItIs(int threads) throws IOException {
    Files.write(file, Collections.nCopies(500, textRow("text")));
    for (Throwable defect :
        List.of(new IllegalStateException("defect"), new StackOverflowError())) {
      AtomicInteger calls = new AtomicInteger();
      TextTokenizer broken =
          new TextTokenizer() {
            @Override
            public int[] encode(String text, boolean addSpecialTokens) {
              if (calls.incrementAndGet() > 700) {
                if (defect instanceof Error error) {
                  throw error;
                }
                throw (RuntimeException) defect;
              }
              return text.chars().toArray();
            }

            @Override
            public String decode(int[] ids) {
              return "";
            }
          };
      ExampleEncoder encoder =
          new ExampleEncoder(
              broken, null, new SpecialTokens(null, "$", null), new EncodingLimits(0, 100, 256));
      assertThatThrownBy(() -> load(encoder, OnBadRow.SKIP, threads)).isSameAs(defect);
    }
  }

  @Test
  void aBadRowBeforeADefectIsTheOneReported() throws IOException {
    Files.writeString(file, textRow("p") + "\n{}\n" + textRow("q"));
    TextTokenizer broken =
        new TextTokenizer() {
          @Override
          public int[] encode(String text, boolean addSpecialTokens) {
            if (text.startsWith("q")) {
              throw new IllegalStateException("defect");
            }
            return text.chars().toArray();
          }

          @Override
          public String decode(int[] ids) {
            return "";
          }
        };
    ExampleEncoder encoder =
        new ExampleEncoder(
            broken, null, new SpecialTokens(null, "$", null), new EncodingLimits(0, 100, 256));
    assertThatThrownBy(() -> load(encoder, OnBadRow.STOP, 1))
        .isInstanceOf(BadRowException.class)
        .hasMessageStartingWith("[" + file + ":2] missing field")
        .hasMessageEndingWith("\nthe reading ended there: defect");
  }

  @Test
  void nothingIsLeftInTheFolderNorAfterAFailure() throws IOException {
    try (ExampleDataset data = load(encoder(), OnBadRow.SKIP, 2)) {
      assertThat(data.examples()).hasSize(3);
    }
    assertThatThrownBy(() -> load(encoder(), OnBadRow.STOP, 2)).isInstanceOf(DpoException.class);
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactly(file);
    }
  }

  @Test
  void aFolderThatCannotBeWrittenIsNamed() {
    EncodingResources means = new EncodingResources(1, folder.resolve("missing"));
    assertThatThrownBy(
            () ->
                ExampleDataset.load(DataInput.of(file), List.of(), encoder(), OnBadRow.SKIP, means))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("[" + means.folder())
        .hasMessageContaining("choose another folder");
  }

  /** Of 4 and 3 pairs in shares of 2 to 1: 4 / (2/3) = 6 in all, so 4 and 2, the first ones. */
  @Test
  void aMixtureTakesTheFirstPairsOfEachEntry() throws IOException {
    DataEntry first = entry("first.jsonl", 4);
    DataEntry second = entry("second.jsonl", 3);
    DataInput input = new DataInput(List.of(first, second), ColumnMapping.NONE, RowFormat.AUTO);
    ExampleDataset all = ExampleDataset.load(input, List.of(), encoder(), OnBadRow.STOP);
    assertThat(all.examples()).hasSize(7);
    assertThat(all.from(first)).isEqualTo(4);
    assertThat(all.from(second)).isEqualTo(3);
    assertThat(all.unused()).isEmpty();

    ExampleDataset mixture =
        ExampleDataset.load(input, List.of(2.0, 1.0), encoder(), OnBadRow.STOP);
    assertThat(mixture.examples())
        .extracting(pair -> pair.origin().file() + " " + pair.origin().row())
        .containsExactly(
            first.path() + " 1",
            first.path() + " 2",
            first.path() + " 3",
            first.path() + " 4",
            second.path() + " 1",
            second.path() + " 2");
    assertThat(mixture.from(second)).isEqualTo(2);
    assertThat(mixture.unused()).isEqualTo(Map.of("left out for data_weights", 1));
    assertThat(ExampleDataset.load(input, List.of(4.0, 3.0), encoder(), OnBadRow.STOP).unused())
        .isEmpty();
  }

  /** LLaMA-Factory's max_samples: the first rows of each data set, a bad row among them. */
  @Test
  void aLimitTakesTheFirstRowsOfEachEntryAndCountsTheRestUnread() throws IOException {
    DataEntry first = entry("first.jsonl", 4);
    Path several = Files.createDirectory(folder.resolve("several"));
    Files.write(several.resolve("a.jsonl"), List.of(ROWS[0], "{}"));
    Files.write(several.resolve("b.jsonl"), List.of(ROWS[0], ROWS[0], "no row"));
    Files.write(several.resolve("c.jsonl"), List.of("nor this"));
    DataEntry second = DataEntry.of("data", several);
    DataInput all =
        new DataInput(List.of(first, second), ColumnMapping.NONE, RowFormat.AUTO).limited(3);

    ExampleDataset some = ExampleDataset.load(all, List.of(), encoder(), OnBadRow.SKIP);
    assertThat(some.from(first)).isEqualTo(3);
    assertThat(some.from(second)).isEqualTo(2);
    assertThat(some.counts().rows()).isEqualTo(6);
    assertThat(some.counts().leftOut()).isEqualTo(4);
    assertThat(some.counts().summary()).endsWith("; 4 rows left out for max_samples");
    assertThat(
            ExampleDataset.load(all.limited(4), List.of(1.0, 1.0), encoder(), OnBadRow.SKIP)
                .unused())
        .as("the mixture is of what is used")
        .isEqualTo(Map.of("left out for data_weights", 1));
    assertThat(
            ExampleDataset.load(all.limited(5), List.of(), encoder(), OnBadRow.SKIP)
                .counts()
                .summary())
        .endsWith("; 1 row left out for max_samples");
    assertThat(
            ExampleDataset.load(all.limited(6), List.of(), encoder(), OnBadRow.SKIP)
                .counts()
                .summary())
        .doesNotContain("max_samples");
  }

  private DataEntry entry(String name, int pairs) throws IOException {
    Path path = folder.resolve(name);
    Files.write(path, Collections.nCopies(pairs, ROWS[0]));
    return DataEntry.of("data", path);
  }

  @Test
  void whatIsLeftOutIsCountedByReason() {
    ExampleDataset data = ExampleDataset.load(file, encoder(), OnBadRow.SKIP);
    ExampleDataset some = data.keep(new int[] {2, 0}, "held out").keep(new int[] {1}, "held out");
    assertThat(some.examples()).extracting(pair -> pair.origin().row()).containsExactly(1);
    assertThat(some.unused()).isEqualTo(Map.of("held out", 2));
    assertThat(data.keep(new int[] {0, 1, 2}, "none").unused()).isEmpty();
    assertThat(data.keep(new int[] {1, 2}, "one").cut()).isOne();
    assertThat(data.keep(new int[] {0, 2}, "one").cut()).isZero();
    assertThat(some.counts()).isSameAs(data.counts());
  }

  @Test
  void aRowOfABatchIsAnExampleOrAPackOfThem() {
    ExampleDataset data = ExampleDataset.load(file, encoder(), OnBadRow.SKIP);
    assertThat(data.packed()).isFalse();
    assertThat(data.rows()).isEqualTo(3);
    assertThat(data.row(2)).extracting(pair -> pair.origin().row()).containsExactly(8);

    // Of the chosen completions, with their prompts 2, 4 and 2 tokens.
    try (ExampleDataset packed = data.packed(PackingStrategy.BFD, 4, folder)) {
      assertThat(packed.packed()).isTrue();
      assertThat(packed.rows()).isEqualTo(2);
      assertThat(packed.row(0)).extracting(pair -> pair.origin().row()).containsExactly(3);
      assertThat(packed.row(1)).extracting(pair -> pair.origin().row()).containsExactly(1, 8);
    }
  }

  /** Labelled completions of pairs come in TRL's order, and each has another one's completion. */
  @Test
  void pairsAreTakenApartForLossesOnLabelledCompletions() throws IOException {
    Files.writeString(file, row("[1]", "[2]", "[3]") + "\n" + row("[4]", "[5]", "[6]") + "\n");
    ExampleDataset data =
        ExampleDataset.load(
            DataInput.of(file).reading(ExampleKind.LABELED, false),
            List.of(),
            encoder(),
            OnBadRow.STOP);
    assertThat(data.examples())
        .extracting(example -> example.completions().get(0).ids()[0])
        .containsExactly(2, 5, 3, 6);
    assertThat(data.examples())
        .extracting(EncodedExample::isDesirable)
        .containsExactly(true, true, false, false);
    assertThat(data.examples().desirable()).isEqualTo(2);
    assertThat(data.keep(new int[] {1, 2, 3}, "some").examples().desirable()).isOne();
    assertThat(data.mismatched(4, 0).examples())
        .extracting(example -> example.completions().get(1).ids()[0])
        .containsExactly(6, 2, 5, 3);
  }

  /** What other shapes of rows would have put into the prompt is named with its first row. */
  @Test
  void theSummaryOfSeveralFilesNamesWhatIsIgnoredAndHowRowsAreRead() throws IOException {
    Path one = folder.resolve("one.jsonl");
    Path two = folder.resolve("two.jsonl");
    String text = "{\"prompt\":\"p\",\"chosen\":\"w\",\"rejected\":\"l\"%s}\n";
    Files.writeString(one, text.formatted("") + text.formatted(",\"system_prompt\":\"c\""));
    Files.writeString(two, text.formatted(",\"system_prompt\":\"d\",\"id\":1"));
    Path bad = Files.writeString(folder.resolve("bad.jsonl"), "{}");
    DataInput input =
        new DataInput(
            List.of(
                DataEntry.of("data", one), DataEntry.of("data", bad), DataEntry.of("data", two)),
            ColumnMapping.NONE,
            RowFormat.AUTO);
    ExampleEncoder encoder =
        new ExampleEncoder(
            new InstructionTokenizer(),
            null,
            new SpecialTokens(null, "$", null),
            new EncodingLimits(0, 10, 260));
    ExampleDataset.ReadSummary summary =
        ExampleDataset.forEachRow(input, encoder, OnBadRow.SKIP, 1, row -> {});
    assertThat(summary.description()).as("nothing of the bad rows").isEqualTo("text");
    assertThat(summary.ignoredColumns()).containsExactly("id", "system_prompt");
    assertThat(summary.lostColumns())
        .isEqualTo(Map.of("system_prompt", new RowOrigin(one.toString(), 2, 2)));
    assertThat(summary.forms()).containsExactly(RowForm.TEXT);
  }

  @Test
  void aFileWithoutOneUsablePairIsRefusedWithTheReasons() throws IOException {
    Files.writeString(file, ROWS[1]);
    assertThatThrownBy(() -> ExampleDataset.load(file, encoder(), OnBadRow.STOP))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("0 of 1 pairs kept; 1 dropped: prompt alone reaches max_length");
  }

  private ExampleDataset load(ExampleEncoder encoder, OnBadRow onBadRow, int threads) {
    EncodingResources means = new EncodingResources(threads, folder);
    return ExampleDataset.load(DataInput.of(file), List.of(), encoder, onBadRow, means);
  }

  private static List<String> words(List<EncodedExample> pairs) {
    return pairs.stream()
        .map(
            pair ->
                "%s %s %s %s"
                    .formatted(
                        pair.origin(),
                        Arrays.toString(pair.promptIds()),
                        Arrays.toString(pair.chosenIds()),
                        Arrays.toString(pair.rejectedIds())))
        .toList();
  }

  private static ExampleEncoder encoder() {
    return new ExampleEncoder(
        new InstructionTokenizer(),
        null,
        new SpecialTokens(null, null, null),
        new EncodingLimits(4, 10, 260));
  }

  private static String row(String prompt, String chosen, String rejected) {
    return "{\"n\":0,\"prompt_ids\":%s,\"chosen_ids\":%s,\"rejected_ids\":%s}"
        .formatted(prompt, chosen, rejected);
  }
}
