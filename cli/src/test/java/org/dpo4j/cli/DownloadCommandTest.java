package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: a download that is killed and leaves a file that is cut off or wrong, or begins again
 * from nothing. The process is killed at moments drawn at random, every other time while files
 * arrive.
 *
 * <p>{@code -Ddpo4j.kills=50} kills so often; {@code -Ddpo4j.seed=N} draws other moments.
 */
@DisabledOnOs(OS.WINDOWS)
class DownloadCommandTest {
  private static final int KILLS = Integer.getInteger("dpo4j.kills", 4);
  private static final long SEED = Long.getLong("dpo4j.seed", 42);

  /** The model's 6 MB take about three seconds. */
  private static final long PAUSE_MILLIS = 30;

  private final Path log;
  private final Path out;
  private final HubOfExamples hub = new HubOfExamples(PAUSE_MILLIS);

  DownloadCommandTest(@TempDir Path folder) throws IOException {
    log = folder.resolve("log");
    out = folder.resolve("models/tiny");
  }

  @AfterEach
  void stopHub() {
    hub.close();
  }

  private Process start(String... words) throws IOException {
    List<String> command = new ArrayList<>(List.of("download"));
    command.addAll(List.of(words));
    Files.deleteIfExists(log);
    ProcessBuilder builder = Subprocess.of(log, List.of(), command);
    builder.environment().put("HF_ENDPOINT", hub.address());
    return builder.start();
  }

  private Process start() throws IOException {
    return start("acme/tiny", "--output", out.toString());
  }

  private void awaitMoreBytes(Process process, long before)
      throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
    while (process.isAlive() && pendingBytes() <= before) {
      assertThat(System.nanoTime()).as(log()).isLessThan(deadline);
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  /** Bytes that have arrived and are not in place. */
  private long pendingBytes() throws IOException {
    Path pending = out.resolve(".dpo4j-download");
    if (!Files.isDirectory(pending)) {
      return 0;
    }
    try (Stream<Path> files = Files.list(pending)) {
      return files.mapToLong(file -> file.toFile().length()).sum();
    }
  }

  private int code(Process process) throws InterruptedException {
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    return process.exitValue();
  }

  private String log() throws IOException {
    return Files.readString(log);
  }

  /** Compares the files that can be seen; returns their number. */
  private int rightFiles() throws IOException {
    int count = 0;
    if (Files.isDirectory(out)) {
      try (Stream<Path> files = Files.list(out)) {
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          String name = String.valueOf(file.getFileName());
          if (!name.startsWith(".dpo4j-")) {
            assertThat(file)
                .as("seed %d", SEED)
                .hasSameBinaryContentAs(HubOfExamples.EXAMPLES.resolve("tiny-chat").resolve(name));
            count++;
          }
        }
      }
    }
    return count;
  }

  private void deleteAll() throws IOException {
    if (Files.exists(out)) {
      try (Stream<Path> all = Files.walk(out)) {
        for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(each);
        }
      }
    }
  }

  @Test
  void aDownloadThatIsKilledAtAnyMomentGoesOnAndEveryFileIsRightOrNotThere() throws Exception {
    Random random = new Random(SEED);
    int kills = 0;
    int downloads = 0;
    boolean partial = false;
    while (kills < KILLS || downloads == 0) {
      deleteAll();
      for (boolean complete = false; !complete; ) {
        Process process = start();
        if (kills % 2 == 1 && kills < KILLS) {
          awaitMoreBytes(process, pendingBytes());
        }
        if (kills < KILLS && !process.waitFor(1 + random.nextInt(1000), TimeUnit.MILLISECONDS)) {
          process.destroyForcibly().waitFor();
          kills++;
          partial |= rightFiles() == 0 && Files.isDirectory(out.resolve(".dpo4j-download"));
        } else {
          assertThat(code(process)).as(log()).isZero();
          assertThat(rightFiles()).isGreaterThan(4);
          complete = true;
        }
      }
      downloads++;
    }
    assertThat(partial).as("seed %d", SEED).isTrue();
    assertThat(out.resolve("model.safetensors")).exists();
    assertThat(out.resolve(".dpo4j-download")).doesNotExist();
    assertThat(log())
        .contains(
            "model acme/tiny at commit 00c0ffee",
            ", each with its hash",
            "to use it: ./dpo4j train --model " + out + " --data_file FILE --output_dir DIR");

    assertThat(code(start())).as(log()).isZero();
    assertThat(log()).contains("nothing to download: all files are in " + out);
    System.out.printf("%d kills of %d downloads (seed %d)%n", kills, downloads, SEED);
  }

  @Test
  void aStoppedDownloadSaysThatItContinues() throws Exception {
    hub.hold();
    Process process = start();
    try {
      awaitMoreBytes(process, 0);
      List<String> kill = List.of("kill", "-INT", Long.toString(process.pid()));
      assertThat(new ProcessBuilder(kill).start().waitFor()).isZero();
      assertThat(code(process)).as(log()).isEqualTo(130);
    } finally {
      process.destroyForcibly();
    }
    assertThat(log().lines())
        .last()
        .asString()
        .matches("interrupted: \\d+ [kM]B have arrived in .*; the same command continues");
    assertThat(rightFiles()).isZero();
  }

  @Test
  void aRefusalIsOneLineWithExitCodeOne() throws Exception {
    assertThat(code(start("acme/missing", "--output_dir", out.toString()))).isEqualTo(1);
    assertThat(log())
        .isEqualTo(
            "error: %s has no model acme/missing; check the name, and pass --type dataset for a data"
                    .formatted(hub.address())
                + " set\n");
    assertThat(out).doesNotExist();
  }

  @Test
  void aDataSetArrivesWithItsRows() throws Exception {
    Process process =
        start(
            "acme/pairs", "--type", "dataset", "--local-dir=" + out, "--include", "p*.jsonl", "x");
    assertThat(code(process)).as(log()).isZero();
    assertThat(out.resolve("pairs.jsonl"))
        .hasSameBinaryContentAs(HubOfExamples.EXAMPLES.resolve("pairs.jsonl"));
    assertThat(log())
        .contains(
            "left out; --include names others",
            "warning: --include x matches no file of acme/pairs; check the pattern",
            "to use it: ./dpo4j train --model MODEL --data_file '%s/pairs.jsonl' --output_dir DIR"
                .formatted(out));
  }

  @Test
  void filesThatNoCommandReadsAloneAreListed() throws Exception {
    Process process = start("--output_dir", out.toString(), "acme/tiny", "--include", "t*.json");
    assertThat(code(process)).as(log()).isZero();
    assertThat(log()).contains("\n  there now: tokenizer.json, tokenizer_config.json");
    assertThat(log()).doesNotContain("to use it");
    assertThat(code(start())).as(log()).isZero();
    assertThat(log()).contains("\n  to use it: ./dpo4j train --model " + out);
  }
}
