package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.dpo4j.DpoException;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.tokenizer.InstructionTokenizer;
import org.dpo4j.tokenizer.SpecialTokens;
import org.dpo4j.tokenizer.TextTokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes rows that are lost, counted twice or out of order between the file and the run. */
class PairDatasetTest {
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

  private final Path file;

  PairDatasetTest(@TempDir Path folder) throws IOException {
    file = Files.writeString(folder.resolve("a.jsonl"), String.join("\n\n", ROWS));
  }

  @Test
  void everyRowMeetsOneFateAndTheFirstOfEachIsNamed() {
    PairDataset data = PairDataset.load(file, encoder(), OnBadRow.SKIP);
    assertThat(data.pairs()).extracting(pair -> pair.origin().row()).containsExactly(1, 3, 8);
    EncodingCounts counts = data.counts();
    assertThat(counts.rows()).isEqualTo(8);
    assertThat(counts.kept()).isEqualTo(3);
    assertThat(counts.cut()).isEqualTo(1);
    assertThat(counts.dropped().keySet())
        .containsExactly(PairEncoder.SAME_AFTER_CUT, PairEncoder.PROMPT_TOO_LONG);
    assertThat(counts.bad())
        .containsEntry(
            "identical chosen and rejected",
            new EncodingCounts.Tally(1, new RowOrigin(file.toString(), 7, 4)))
        .containsOnlyKeys(
            "identical chosen and rejected",
            "missing field \"chosen_ids\"",
            "token id out of range");
    assertThat(data.ignoredColumns()).containsExactly("n");
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
    assertThatThrownBy(() -> PairDataset.forEachRow(file, encoder(), OnBadRow.STOP, seen::add))
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
    AtomicInteger done = new AtomicInteger();
    TextTokenizer slow =
        new TextTokenizer() {
          @Override
          public int[] encode(String text, boolean addSpecialTokens) {
            if (text.startsWith("fails")) {
              throw new DpoException("as told");
            }
            LockSupport.parkNanos(2_000_000);
            done.incrementAndGet();
            return text.chars().toArray();
          }

          @Override
          public String decode(int[] ids) {
            return "";
          }

          @Override
          public int vocabSize() {
            return 256;
          }
        };
    PairEncoder encoder =
        new PairEncoder(
            slow, null, new SpecialTokens(null, "$", null), new EncodingLimits(0, 100, 256));

    assertThatThrownBy(() -> PairDataset.load(file, encoder, OnBadRow.STOP)).hasMessage("as told");
    assertThat(done).hasValue(1 + 40 * 3); // EOS; prompt, chosen, rejected of the other rows
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
    PairDataset.Walk walk = PairDataset.forEachRow(file, encoder(), OnBadRow.SKIP, rows::add);
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

  @Test
  void aFileWithoutOneUsablePairIsRefusedWithTheReasons() throws IOException {
    Files.writeString(file, ROWS[1]);
    assertThatThrownBy(() -> PairDataset.load(file, encoder(), OnBadRow.STOP))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("0 of 1 pairs kept; 1 dropped: prompt alone reaches max_length");
  }

  private static PairEncoder encoder() {
    return new PairEncoder(
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
