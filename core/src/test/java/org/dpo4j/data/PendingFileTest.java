package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: files of killed runs that stay for ever, and a live run's file that another removes. */
class PendingFileTest {
  private final Path folder;
  private final Path target;

  PendingFileTest(@TempDir Path folder) {
    this.folder = folder;
    this.target = folder.resolve("ref-1.bin");
  }

  /** Starts a file and waits to be killed. */
  static final class Writer {
    private Writer() {}

    public static void main(String[] args) throws IOException {
      PendingFile file = PendingFile.create(Path.of(args[0]));
      file.channel().write(ByteBuffer.wrap(new byte[] {1}));
      System.out.println("writing");
      System.in.read();
    }
  }

  @Test
  void aPublishedFileReplacesItsTargetAndLeavesNothingElse() throws IOException {
    Files.writeString(target, "old");
    try (PendingFile file = PendingFile.create(target)) {
      file.channel().write(StandardCharsets.UTF_8.encode("new"));
      assertThat(target).hasContent("old");
      file.publish();
    }
    assertThat(names()).containsExactly("ref-1.bin");
    assertThat(target).hasContent("new");
  }

  @Test
  void anUnpublishedFileIsRemoved() throws IOException {
    PendingFile.create(target).close();
    assertThat(names()).isEmpty();
    assertThatThrownBy(() -> PendingFile.create(folder.resolve("none/a")))
        .isInstanceOf(NoSuchFileException.class);
  }

  @Test
  void aFileWhoseLockIsInterruptedIsRemoved() throws IOException {
    Thread.currentThread().interrupt();
    try {
      assertThatThrownBy(() -> PendingFile.create(target)).isInstanceOf(IOException.class);
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
    assertThat(names()).isEmpty();
  }

  @Test
  void aLiveWritersFileStaysAndAKilledOnesIsRemoved() throws Exception {
    Process writer =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Writer.class.getName(),
                target.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (BufferedReader out = writer.inputReader(StandardCharsets.UTF_8)) {
      assertThat(out.readLine()).isEqualTo("writing");
      PendingFile.removeStale(folder, "ref-");
      assertThat(names()).hasSize(1);
    } finally {
      writer.destroyForcibly().waitFor();
    }
    assertThat(names()).hasSize(1);
    Path other = Files.createFile(folder.resolve(".ref-of-a-user.tmp"));
    PendingFile.removeStale(folder, "scores");
    assertThat(names()).hasSize(2);
    PendingFile.removeStale(folder, "ref-");
    assertThat(names()).containsExactly(String.valueOf(other.getFileName()));
  }

  /** Cleaners that take each file in the moment between its creation and its lock. */
  @Test
  void writersAndCleanersAtOnceLoseNothing() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    List<Future<?>> done = new ArrayList<>();
    for (int thread = 0; thread < 4; thread++) {
      int number = thread;
      done.add(
          threads.submit(
              () -> {
                for (int i = 0; i < 50; i++) {
                  Path own = folder.resolve("ref-" + number + "-" + i);
                  try (PendingFile file = PendingFile.create(own)) {
                    PendingFile.removeStale(folder, "ref-");
                    file.channel().write(ByteBuffer.wrap(new byte[] {1}));
                    file.publish();
                  } catch (IOException e) {
                    throw new UncheckedIOException(e);
                  }
                }
              }));
    }
    for (Future<?> thread : done) {
      thread.get();
    }
    threads.shutdown();
    assertThat(names()).hasSize(200).noneMatch(name -> name.startsWith("."));
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> String.valueOf(file.getFileName())).sorted().toList();
    }
  }
}
