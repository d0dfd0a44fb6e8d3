package org.dpo4j.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Closes: a parser that fails on a file in another way than by a refusal in one message. */
class FuzzTargetTest {
  private static final Path REGRESSIONS = Path.of("src/test/resources/regressions");
  private static final int MUTATIONS = 1000;

  /** A target that refuses its seeds tests the first check of its parser and nothing else. */
  @ParameterizedTest
  @EnumSource
  void theSeedsOfATargetAreAccepted(FuzzTarget target) throws Exception {
    int accepted = 0;
    for (byte[] seed : target.seeds()) {
      accepted += target.read(seed) ? 1 : 0;
    }
    assertThat(accepted).isPositive();
  }

  @Test
  void theFirstByteChoosesTheTarget() throws Exception {
    for (FuzzTarget target : FuzzTarget.values()) {
      byte[] seed = target.seeds().get(0);
      assertThat(AnyTarget.fuzz(AnyTarget.input(target, seed))).isEqualTo(target.read(seed));
    }
    assertThat(AnyTarget.fuzz(new byte[0])).isFalse();
  }

  static Stream<Arguments> regressions() throws IOException {
    List<Arguments> found = new ArrayList<>();
    for (FuzzTarget target : FuzzTarget.values()) {
      Path folder = REGRESSIONS.resolve(target.label());
      if (Files.isDirectory(folder)) {
        try (Stream<Path> files = Files.list(folder)) {
          files.sorted().forEach(file -> found.add(Arguments.of(target, file)));
        }
      }
    }
    return found.stream();
  }

  @ParameterizedTest
  @MethodSource("regressions")
  @Timeout(value = 20, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void whatFuzzingFoundStaysMended(FuzzTarget target, Path input) throws Exception {
    target.read(Files.readAllBytes(input));
  }

  /** What can be tried without Jazzer: cuts, other bytes and repetitions at random places. */
  @ParameterizedTest
  @EnumSource
  @Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void damagedSeedsAreReadOrRefused(FuzzTarget target) throws Exception {
    Random random = new Random(16);
    List<byte[]> seeds = target.seeds();
    for (int i = 0; i < MUTATIONS; i++) {
      target.read(damaged(seeds.get(random.nextInt(seeds.size())), random));
    }
  }

  private static byte[] damaged(byte[] seed, Random random) {
    byte[] bytes = seed.clone();
    for (int i = random.nextInt(4); i >= 0 && bytes.length > 0; i--) {
      int at = random.nextInt(bytes.length);
      switch (random.nextInt(4)) {
        case 0 -> bytes = java.util.Arrays.copyOf(bytes, at);
        case 1 -> bytes[at] = (byte) random.nextInt();
        case 2 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        default -> {
          int length = Math.min(1 + random.nextInt(8), bytes.length - at);
          System.arraycopy(bytes, at, bytes, random.nextInt(bytes.length - length + 1), length);
        }
      }
    }
    return bytes;
  }
}
