package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes files that killed runs leave for ever outside the output folder: in the folder for
 * temporary files, where libraries unpack themselves, in the reference cache, beside {@code
 * --output}.
 */
@DisabledOnOs(OS.WINDOWS)
class LeftoversTest {
  private static final Path EXAMPLES = Path.of("..", "examples").toAbsolutePath().normalize();
  private static final int KILLS = 4;

  private final Path folder;
  private final Path temporary;
  private final Path home;

  LeftoversTest(@TempDir Path folder) throws IOException {
    this.folder = folder;
    temporary = Files.createDirectory(folder.resolve("tmp"));
    home = Files.createDirectory(folder.resolve("home"));
  }

  @Test
  void theNextRunsRemoveWhatKilledRunsLeft() throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int i = 0; i < KILLS; i++) {
      Process process = start(i % 2 == 0 ? train("killed" + i) : score());
      TimeUnit.MILLISECONDS.sleep(random.nextInt(2000));
      process.destroyForcibly().waitFor();
    }
    // What a kill in the right millisecond leaves.
    Path cache = Files.createDirectories(folder.resolve("reference_cache"));
    Path unpacked = Files.createDirectories(home.resolve(".djl.ai/tokenizers/tmp123"));
    for (Path left :
        List.of(
            cache.resolve(".ref-0123456789abcdef.bin.pending-1-2-3.tmp"),
            folder.resolve(".scores.jsonl.pending-1-2-3.tmp"),
            temporary.resolve(".dpo4j-pairs-123.tmp"),
            Files.createDirectories(home.resolve(".cache/JNA/temp")).resolve("jna123.tmp"),
            unpacked.resolve("libtokenizers.so"))) {
      Files.writeString(left, "half");
    }
    age(folder);
    for (List<String> command : List.of(train("whole"), score(), plan())) {
      Process process = start(command);
      assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
      assertThat(process.exitValue())
          .as("seed %d: %s", seed, Files.readString(folder.resolve("output")))
          .isZero();
    }
    assertThat(names(temporary)).as("seed %d", seed).allMatch(name -> name.startsWith("hsperf"));
    assertThat(names(home.resolve(".cache/JNA/temp"))).as("seed %d", seed).isEmpty();
    assertThat(names(home.resolve(".djl.ai/tokenizers")))
        .as("seed %d", seed)
        .noneMatch(name -> name.startsWith("tmp"))
        .isNotEmpty();
    assertThat(names(cache)).as("seed %d", seed).hasSize(1).allMatch(n -> n.startsWith("ref-"));
    assertThat(names(folder).stream().filter(name -> name.contains("scores")))
        .as("seed %d", seed)
        .containsExactly("scores.jsonl");
  }

  /** As if a while had passed. */
  private static void age(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      for (Path file : files.toList()) {
        if (!Files.isSymbolicLink(file) && Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
          Files.setLastModifiedTime(
              file, FileTime.from(Instant.now().minus(Duration.ofMinutes(5))));
        }
      }
    }
  }

  private List<String> train(String output) {
    return List.of(
        "train",
        "--model=" + EXAMPLES.resolve("tiny-chat"),
        "--data_file=" + EXAMPLES.resolve("pairs.jsonl"),
        "--output_dir=" + folder.resolve(output),
        "--max_length=96",
        "--max_steps=2");
  }

  private List<String> score() {
    return List.of(
        "score",
        "--model=" + EXAMPLES.resolve("tiny-chat"),
        "--data_file=" + EXAMPLES.resolve("pairs.jsonl"),
        "--max_length=96",
        "--output=" + folder.resolve("scores.jsonl"));
  }

  private List<String> plan() {
    return List.of(
        "plan",
        "--trial=false",
        "--model=" + EXAMPLES.resolve("tiny-chat"),
        "--data_file=" + EXAMPLES.resolve("pairs.jsonl"));
  }

  private Process start(List<String> words) throws IOException {
    // libtorch is unpacked once for all tests: it takes a while.
    String unpacked = System.getProperty("user.home") + "/.javacpp/cache";
    ProcessBuilder builder =
        Subprocess.of(
            folder.resolve("output"),
            List.of(
                "-Djava.io.tmpdir=" + temporary,
                "-Duser.home=" + home,
                "-Dorg.bytedeco.javacpp.cachedir=" + unpacked),
            words);
    builder.environment().remove("XDG_CACHE_HOME");
    return builder.start();
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> String.valueOf(file.getFileName())).sorted().toList();
    }
  }
}
