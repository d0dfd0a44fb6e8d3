package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;
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
      pairs.add(new EncodedExample(origin, ids, ids, ids, weight));
    }
    try (EncodedExamples stored = EncodedExamples.of(pairs, folder)) {
      assertThat(stored.weightsDiffer()).isTrue();
      assertThat(stored.select(new int[] {0, 1}).weightsDiffer()).isFalse();
      assertThat(stored.select(new int[] {1, 2}).weightsDiffer()).isTrue();
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
        .hasMessageContaining("ends too early");
    file.close();
    assertThatThrownBy(() -> file.read(0))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("read back");
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
              i % 5 == 0 ? 1 : random.nextDouble() + 1e-300));
    }
    return pairs;
  }

  private static int[] ids(Random random, int count) {
    return random.ints(count, 0, 150_000).toArray();
  }
}
