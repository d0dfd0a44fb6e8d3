package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes pairs that come back from disk other than they went there, and files left behind. */
class EncodedExamplesTest {
  private final Path folder;

  EncodedExamplesTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** Pairs longer than the buffers, and files whose offsets no int holds. */
  @ParameterizedTest
  @ValueSource(longs = {0, (1L << 31) - 100, 1L << 33})
  void pairsComeBackAsTheyWere(long start) throws IOException {
    List<EncodedExample> pairs = pairs(20_000);
    try (ExampleFile file = ExampleFile.create(folder, start)) {
      pairs.forEach(pair -> file.append(pair, pair.origin().row() % 3 == 0));
      file.finish();
      EncodedExamples stored = new EncodedExamples(file);
      assertThat(stored).hasSameSizeAs(pairs);
      for (int i : new Random(1).ints(3000, 0, pairs.size()).toArray()) {
        assertSame(stored.get(i), pairs.get(i));
        assertThat(stored.isCut(i)).isEqualTo(pairs.get(i).origin().row() % 3 == 0);
        assertThat(stored.fileOf(i)).isEqualTo(pairs.get(i).origin().file());
      }
    }
  }

  @Test
  void severalThreadsReadAtOnce() {
    List<EncodedExample> pairs = pairs(2000);
    try (EncodedExamples stored = EncodedExamples.of(pairs, folder)) {
      IntStream.range(0, pairs.size())
          .parallel()
          .forEach(i -> assertSame(stored.get(i), pairs.get(i)));
    }
  }

  /** Java's file channels are closed for everybody when one interrupted thread reads. */
  @Test
  void anInterruptedThreadReadsAndLeavesTheFileToTheOthers() throws Exception {
    List<EncodedExample> pairs = pairs(100);
    try (EncodedExamples stored = EncodedExamples.of(pairs, folder)) {
      List<Throwable> failures = new CopyOnWriteArrayList<>();
      Thread reader =
          new Thread(
              () -> {
                Thread.currentThread().interrupt();
                assertSame(stored.get(5), pairs.get(5));
                assertThat(Thread.currentThread().isInterrupted()).isTrue();
              });
      reader.setUncaughtExceptionHandler((thread, failure) -> failures.add(failure));
      reader.start();
      reader.join();
      assertThat(failures).isEmpty();
      assertSame(stored.get(7), pairs.get(7));
    }
  }

  @Test
  void aSelectionOfASelectionIsOfTheSameFile() {
    List<EncodedExample> pairs = pairs(50);
    try (EncodedExamples stored = EncodedExamples.of(pairs, folder)) {
      EncodedExamples some = stored.select(new int[] {40, 3, 7}).select(new int[] {2, 0});
      assertThat(some).hasSize(2);
      assertSame(some.get(0), pairs.get(7));
      assertSame(some.get(1), pairs.get(40));
      assertThatThrownBy(() -> some.get(2)).isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void weightsDifferOnlyWhereTwoOfThePairsDo() {
    int[] ids = {1};
    RowOrigin origin = new RowOrigin("f", 1, 1);
    List<EncodedExample> pairs = new ArrayList<>();
    for (double weight : new double[] {2, 2, 0.5}) {
      pairs.add(new EncodedExample(origin, ids, ids, ids, RowNumbers.ofWeight(weight)));
    }
    try (EncodedExamples stored = EncodedExamples.of(pairs, folder)) {
      assertThat(stored.weightsDiffer()).isTrue();
      assertThat(stored.select(new int[] {0, 1}).weightsDiffer()).isFalse();
      assertThat(stored.select(new int[] {1, 2}).weightsDiffer()).isTrue();
    }
    try (ExampleFile file = ExampleFile.create(folder)) { // no example need be read again
      pairs.subList(0, 2).forEach(pair -> file.append(pair, false));
      assertThat(file.weightsDiffer()).isFalse();
      assertThat(new EncodedExamples(file).weightsDiffer()).isFalse();
      file.append(pairs.get(2), false);
      assertThat(file.weightsDiffer()).isTrue();
    }
  }

  @Test
  void theFileHasNoNameWhileItIsUsed() throws IOException {
    try (EncodedExamples stored = EncodedExamples.of(pairs(10), folder);
        Stream<Path> files = Files.list(folder)) {
      assertThat(stored).hasSize(10);
      assertThat(files).isEmpty();
    }
  }

  @Test
  void whatIsNotThereIsNoPair() {
    ExampleFile file = ExampleFile.create(folder);
    pairs(3).forEach(pair -> file.append(pair, false)); // in the buffer, not on disk
    assertThatThrownBy(() -> file.read(0))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("ends too early")
        .hasCauseInstanceOf(EOFException.class);
    file.close();
    assertThatThrownBy(() -> file.read(0))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("read back")
        .hasCauseInstanceOf(IOException.class);
  }

  /** Header 6, prompt 2, a tag before each completion, ids 1 and 3, checksum 1: 15 ints. */
  @Test
  void anExampleTakesFourBytesForEachTokenAndSomeMore() {
    EncodedExample pair =
        new EncodedExample(
            new RowOrigin("f", 1, 1), new int[] {1, 2}, new int[] {3}, new int[] {4, 5, 6});
    try (ExampleFile file = ExampleFile.create(folder, 1000)) {
      file.append(pair, false);
      file.append(pair, false);
      file.finish();
      assertThat(new EncodedExamples(file).bytes()).isEqualTo(2 * 15 * 4);
    }
    // With a bit for each of 33 ids: header 6, prompt 1, tag 1, ids 33, two words of bits,
    // checksum.
    EncodedExample masked =
        new EncodedExample(
            new RowOrigin("f", 1, 1),
            new int[] {1},
            List.of(new EncodedCompletion(CompletionRole.CHOSEN, new int[33], new BitSet())),
            RowNumbers.NONE);
    try (EncodedExamples stored = EncodedExamples.of(List.of(masked), folder)) {
      assertThat(stored.bytes()).isEqualTo((6 + 1 + 1 + 33 + 2 + 1) * 4);
    }
  }

  /** A margin takes two ints more, and only where there is one. */
  @Test
  void aMarginComesBackAsItWasAndTakesRoomWhereThereIsOne() {
    RowOrigin origin = new RowOrigin("f", 1, 1);
    int[] prompt = {1, 2};
    int[] chosen = {3};
    int[] rejected = {4, 5, 6};
    EncodedExample plain =
        new EncodedExample(origin, prompt, chosen, rejected, RowNumbers.ofWeight(3));
    List<EncodedExample> pairs = new ArrayList<>(List.of(plain));
    for (double margin : new double[] {0, -0.0, Math.log(2), -1e30, Double.MIN_VALUE}) {
      pairs.add(
          new EncodedExample(
              origin,
              prompt,
              chosen,
              rejected,
              new RowNumbers(OptionalDouble.of(0.5), OptionalDouble.of(margin))));
    }
    pairs.add(plain);
    try (EncodedExamples stored = EncodedExamples.of(pairs, folder)) {
      for (int i = 0; i < pairs.size(); i++) {
        assertSame(stored.get(i), pairs.get(i));
        assertThat(stored.get(i).numbers()).isEqualTo(pairs.get(i).numbers());
      }
      assertThat(stored.bytes()).isEqualTo((7 * 15 + 5 * 2) * 4);
    }
  }

  /** A word of the file has 32 places. */
  @ParameterizedTest
  @ValueSource(ints = {1, 31, 32, 33, 64, 65})
  void unscoredPlacesComeBackAsTheyWere(int length) {
    List<EncodedExample> examples = new ArrayList<>();
    for (int place = 0; place <= length; place++) {
      BitSet unscored = new BitSet();
      unscored.set(place, Math.min(length, place + 2)); // none for the last
      examples.add(
          new EncodedExample(
              new RowOrigin("f", 1, 1),
              new int[] {1},
              List.of(
                  new EncodedCompletion(CompletionRole.CHOSEN, new int[length], unscored),
                  new EncodedCompletion(CompletionRole.REJECTED, new int[] {7})),
              RowNumbers.NONE));
    }
    try (EncodedExamples stored = EncodedExamples.of(examples, folder)) {
      for (int i = 0; i < examples.size(); i++) {
        List<EncodedCompletion> found = stored.get(i).completions();
        assertThat(found.get(0).unscored())
            .isEqualTo(examples.get(i).completions().get(0).unscored());
        assertThat(found.get(1).ids()).containsExactly(7);
      }
    }
  }

  /** A process that was killed between the two left a name behind. */
  @Test
  void aFileThatAKilledProcessLeftIsRemovedAndNoOther() throws IOException {
    Path left = Files.createFile(folder.resolve(".dpo4j-pairs-123.tmp"));
    Path mine = Files.createFile(folder.resolve("pairs.tmp"));
    EncodedExamples.of(pairs(1), folder).close();
    assertThat(left).doesNotExist();
    assertThat(mine).exists();
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void bytesThatChangedOnTheDiskAreNoExample() throws IOException {
    List<EncodedExample> pairs = pairs(3);
    try (EncodedExamples stored = EncodedExamples.of(pairs, folder)) {
      try (RandomAccessFile same = new RandomAccessFile(open().get(0).toFile(), "rw")) {
        same.seek(stored.bytes() - 8);
        int old = same.read();
        same.seek(stored.bytes() - 8);
        same.write(old ^ 1);
      }
      assertSame(stored.get(1), pairs.get(1));
      assertThatThrownBy(() -> stored.get(2))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("example 2 is not what was written");
    }
  }

  /** Its disk space is free only then. */
  @Test
  @EnabledOnOs(OS.LINUX)
  void theFileIsClosedWithItsListAndAfterAFailure() throws IOException {
    try (EncodedExamples stored = EncodedExamples.of(pairs(3), folder)) {
      assertThat(open()).hasSize(1);
      assertThat(stored).hasSize(3);
    }
    assertThat(open()).isEmpty();
    List<EncodedExample> failing =
        new AbstractList<>() {
          @Override
          public EncodedExample get(int index) {
            throw new DpoException("as told");
          }

          @Override
          public int size() {
            return 1;
          }
        };
    assertThatThrownBy(() -> EncodedExamples.of(failing, folder)).hasMessage("as told");
    EncodedExamples closed = EncodedExamples.of(pairs(3), folder);
    closed.close();
    assertThatThrownBy(() -> PackedExamples.of(closed, PackingStrategy.BFD, 10, folder))
        .isInstanceOf(DpoException.class);
    Path data = folder.resolve("a.jsonl");
    Files.writeString(data, "{\"prompt_ids\":[1],\"chosen_ids\":[2],\"rejected_ids\":[3]}\n{}");
    ExampleEncoder encoder = LlamaFixture.encoder(0);
    EncodingResources means = new EncodingResources(1, folder);
    assertThatThrownBy(
            () -> ExampleDataset.load(DataInput.of(data), List.of(), encoder, OnBadRow.STOP, means))
        .isInstanceOf(DpoException.class);
    assertThat(open()).isEmpty();
    ExampleDataset loaded =
        ExampleDataset.load(DataInput.of(data), List.of(), encoder, OnBadRow.SKIP, means);
    assertThat(open()).hasSize(1);
    loaded.close();
    assertThat(open()).isEmpty();
  }

  /** The files without a name in the folder that this process has open. */
  private List<Path> open() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
      return files
          .filter(
              link -> {
                try {
                  return Files.readSymbolicLink(link).startsWith(folder.toRealPath());
                } catch (IOException e) {
                  return false; // closed meanwhile
                }
              })
          .toList();
    }
  }

  private static void assertSame(EncodedExample found, EncodedExample expected) {
    assertThat(found.origin()).isEqualTo(expected.origin());
    assertThat(found.weight()).isEqualTo(expected.weight());
    assertThat(found.promptIds()).isEqualTo(expected.promptIds());
    assertThat(found.chosenIds()).isEqualTo(expected.chosenIds());
    assertThat(found.rejectedIds()).isEqualTo(expected.rejectedIds());
  }

  /** Of three files, with and without prompts, weights and lists of rejected completions. */
  private static List<EncodedExample> pairs(int count) {
    Random random = new Random(count);
    List<EncodedExample> pairs = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int longest = i % 1000 == 5 ? 50_000 : 8;
      pairs.add(
          new EncodedExample(
              new RowOrigin("file " + 3L * i / count, i % 2 * i, i + 1, i % 4),
              ids(random, random.nextInt(longest)),
              ids(random, 1 + random.nextInt(longest)),
              ids(random, 1 + random.nextInt(longest)),
              RowNumbers.ofWeight(i % 5 == 0 ? 1 : random.nextDouble() + 1e-300)));
    }
    return pairs;
  }

  private static int[] ids(Random random, int count) {
    return random.ints(count, 0, 150_000).toArray();
  }
}
