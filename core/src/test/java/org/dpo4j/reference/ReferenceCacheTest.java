package org.dpo4j.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.train.SmallPairs;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: log-probabilities that are used and are not those of this reference and this data. */
class ReferenceCacheTest {

  private static final List<EncodedExample> PAIRS = SmallPairs.random(3, 1);
  private static final ReferenceFiles FILES = new ReferenceFiles("aa", "bb", Optional.empty());
  private static final ReferenceKey KEY = key(FILES, PAIRS, 1, "float32");

  /** No double but itself has the bits of these. */
  private static final LogProbTable TABLE =
      LogProbTable.of(
          new double[] {-1.1, -1e-300, -123456.789}, new double[] {-0.1 - 0.2, -0.0, -Math.PI});

  private final ReferenceCache cache;

  ReferenceCacheTest(@TempDir Path folder) {
    cache = new ReferenceCache(folder.resolve("a/b"));
  }

  @Test
  void whatIsKeptComesBackBitForBit() throws IOException {
    assertThat(cache.find(KEY)).isEmpty();
    Path file = cache.keep(KEY, Map.of("data", "pairs\n.jsonl"), TABLE);
    assertThat(file.getFileName())
        .hasToString("ref-" + KEY.fingerprint().substring(0, 16) + ".bin");
    LogProbTable back = cache.find(KEY).orElseThrow();
    assertThat(back.size()).isEqualTo(3);
    for (int i = 0; i < 3; i++) {
      assertThat(Double.doubleToRawLongBits(back.chosen(i)))
          .isEqualTo(Double.doubleToRawLongBits(TABLE.chosen(i)));
      assertThat(Double.doubleToRawLongBits(back.rejected(i)))
          .isEqualTo(Double.doubleToRawLongBits(TABLE.rejected(i)));
    }
    assertThat(Files.readString(file, StandardCharsets.ISO_8859_1))
        .startsWith("DPO4JREF")
        .contains("weights: aa\nconfig: bb\npairs: 3\n")
        .contains("data: pairs .jsonl\n");
    assertThat(files()).containsExactly(file);
  }

  @Test
  void noFlippedByteGoesUnnoticed() throws IOException {
    Path file = cache.keep(KEY, Map.of(), TABLE);
    byte[] whole = Files.readAllBytes(file);
    for (int i = 0; i < whole.length; i++) {
      byte[] damaged = whole.clone();
      damaged[i] ^= (byte) (1 << (i % 8));
      Files.write(file, damaged);
      assertThatThrownBy(() -> cache.find(KEY))
          .as("byte %d", i)
          .isInstanceOf(DamagedReferenceException.class);
    }
    Files.write(file, whole);
    assertThat(cache.find(KEY)).isPresent();
  }

  @Test
  void noOtherLengthGoesUnnoticed() throws IOException {
    Path file = cache.keep(KEY, Map.of(), TABLE);
    byte[] whole = Files.readAllBytes(file);
    for (int length = 0; length <= whole.length + 9; length++) {
      if (length != whole.length) {
        Files.write(file, Arrays.copyOf(whole, length));
        assertThatThrownBy(() -> cache.find(KEY))
            .as("%d bytes", length)
            .isInstanceOf(DamagedReferenceException.class);
      }
    }
  }

  @Test
  void aDamagedFileSaysWhatIsWrongAndIsReplaced() throws IOException {
    Path file = cache.keep(KEY, Map.of(), TABLE);
    byte[] whole = Files.readAllBytes(file);

    Files.write(file, "[]".repeat(200).getBytes(StandardCharsets.UTF_8));
    assertThatThrownBy(() -> cache.find(KEY)).hasMessage("it is no file of this kind");

    Files.write(file, ByteBuffer.wrap(whole.clone()).putInt(8, 1).array());
    assertThatThrownBy(() -> cache.find(KEY))
        .hasMessage("its format is version 1 and this dpo4j reads version 2");

    byte[] other = whole.clone();
    other[whole.length - 40] ^= 1; // in the last number
    Files.write(file, other);
    assertThatThrownBy(() -> cache.find(KEY)).hasMessage("its checksum is wrong");

    ReferenceKey wrong = key(FILES, PAIRS, 0.5, "float32");
    Files.copy(cache.keep(wrong, Map.of(), TABLE), cache.file(KEY).resolveSibling("x"));
    Files.write(file, Files.readAllBytes(file.resolveSibling("x")));
    assertThatThrownBy(() -> cache.find(KEY))
        .hasMessage("it belongs to another reference or other data");

    cache.keep(KEY, Map.of(), TABLE);
    assertThat(file).hasBinaryContent(whole);
  }

  /**
   * The number of examples is at byte 44, that of their completions at byte 52, the length of the
   * text at byte 56.
   */
  @Test
  void aHeaderThatContradictsTheKeyOrTheFileSaysWhatIsWrong() throws IOException {
    byte[] whole = Files.readAllBytes(cache.keep(KEY, Map.of(), TABLE));
    assertDamaged(
        ByteBuffer.wrap(whole.clone()).putLong(44, 4).array(), "its number of examples is wrong");
    for (int length : new int[] {-1, Integer.MIN_VALUE, (1 << 20) + 1, Integer.MAX_VALUE}) {
      assertDamaged(
          ByteBuffer.wrap(whole.clone()).putInt(56, length).array(), "its header is damaged");
    }
    for (int length : new int[] {0, 1 << 20}) {
      assertDamaged(
          ByteBuffer.wrap(whole.clone()).putInt(56, length).array(), "its length is wrong");
    }
  }

  private void assertDamaged(byte[] file, String reason) throws IOException {
    Files.write(cache.file(KEY), file);
    assertThatThrownBy(() -> cache.find(KEY))
        .isInstanceOf(DamagedReferenceException.class)
        .hasMessage(reason);
  }

  @Test
  void aFolderInThePlaceOfTheFileIsNeitherReadNorReplaced() throws IOException {
    Files.createDirectories(cache.file(KEY).resolve("inside"));
    assertThatThrownBy(() -> cache.find(KEY)).isInstanceOf(DamagedReferenceException.class);
    assertThatThrownBy(() -> cache.keep(KEY, Map.of(), TABLE)).isInstanceOf(IOException.class);
    assertThat(files()).containsExactly(cache.file(KEY));
  }

  @Test
  void numbersThatAreNoneAreNotKept() {
    LogProbTable table =
        LogProbTable.of(new double[] {-1, Double.NaN, -1}, new double[] {-1, -1, -1});
    assertThatThrownBy(() -> cache.keep(KEY, Map.of(), table)).isInstanceOf(IOException.class);
    assertThat(cache.folder()).doesNotExist();
  }

  @Test
  void runsThatWriteAtOnceLeaveOneGoodFile()
      throws IOException, InterruptedException, ExecutionException {
    ExecutorService runs = Executors.newFixedThreadPool(4);
    try {
      CountDownLatch start = new CountDownLatch(1);
      List<Future<?>> done = new ArrayList<>();
      for (int run = 0; run < 4; run++) {
        done.add(
            runs.submit(
                () -> {
                  start.await();
                  for (int i = 0; i < 20; i++) {
                    cache.keep(KEY, Map.of(), TABLE);
                    assertThat(cache.find(KEY)).isPresent();
                  }
                  return null;
                }));
      }
      start.countDown();
      for (Future<?> run : done) {
        run.get();
      }
    } finally {
      runs.shutdownNow();
    }
    assertThat(files()).containsExactly(cache.file(KEY));
  }

  @Test
  void everythingThatDecidesTheNumbersIsInTheFingerprint() {
    List<ReferenceKey> keys = new ArrayList<>(List.of(KEY));
    keys.add(key(new ReferenceFiles("ab", "bb", Optional.empty()), PAIRS, 1, "float32"));
    keys.add(key(new ReferenceFiles("aa", "bc", Optional.empty()), PAIRS, 1, "float32"));
    ReferenceFiles.Adapter adapter = new ReferenceFiles.Adapter("c", "d");
    keys.add(key(new ReferenceFiles("aa", "bb", Optional.of(adapter)), PAIRS, 1, "float32"));
    keys.add(key(FILES, PAIRS, 0.5, "float32"));
    keys.add(key(FILES, PAIRS, 1, "bfloat16"));
    keys.add(key(FILES, PAIRS.subList(0, 2), 1, "float32"));
    keys.add(key(FILES, List.of(PAIRS.get(1), PAIRS.get(0), PAIRS.get(2)), 1, "float32"));
    keys.add(ids(new int[] {1, 2}, new int[] {3}, new int[] {4}));
    keys.add(ids(new int[] {1}, new int[] {2, 3}, new int[] {4}));
    keys.add(ids(new int[] {1, 2}, new int[] {4}, new int[] {3}));
    keys.add(ids(new int[] {1, 2}, new int[] {3}, new int[] {5}));
    keys.add(ids(new int[] {1}, new int[] {2}, new int[] {3, 4}));
    assertThat(keys.stream().map(ReferenceKey::fingerprint)).doesNotHaveDuplicates();
  }

  @Test
  void whereARowCameFromAndWhatItWeighsIsNot() {
    List<EncodedExample> moved =
        PAIRS.stream()
            .map(
                pair ->
                    new EncodedExample(
                        new RowOrigin("other.csv", 7, 9),
                        pair.promptIds(),
                        pair.chosenIds(),
                        pair.rejectedIds(),
                        RowNumbers.ofWeight(2)))
            .toList();
    assertThat(key(FILES, moved, 1, "float32").fingerprint()).isEqualTo(KEY.fingerprint());
  }

  private static ReferenceKey ids(int[] prompt, int[] chosen, int[] rejected) {
    return key(
        FILES,
        List.of(new EncodedExample(new RowOrigin("f", 1, 1), prompt, chosen, rejected)),
        1,
        "float32");
  }

  private static ReferenceKey key(
      ReferenceFiles files, List<EncodedExample> pairs, double ldAlpha, String computation) {
    return ReferenceKey.of(files, pairs, new LengthDesensitizing(ldAlpha), computation);
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> list = Files.list(cache.folder())) {
      return list.toList();
    }
  }
}
