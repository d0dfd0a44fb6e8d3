package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: a home folder that takes no files, as in many containers, where the tokenizers' library
 * was loaded from a folder that any user of the machine could make, or a run ended in a stack
 * trace.
 */
@DisabledOnOs(OS.WINDOWS)
class UnpackingTest {
  private static final Path EXAMPLES = Path.of("..", "examples").toAbsolutePath().normalize();
  private static final List<String> INSPECT =
      List.of(
          "inspect",
          "--model=" + EXAMPLES.resolve("tiny-chat"),
          "--data_file=" + EXAMPLES.resolve("pairs.jsonl"));

  private final Path folder;
  private final Path file;

  UnpackingTest(@TempDir Path folder) throws IOException {
    this.folder = folder;
    file = Files.writeString(folder.resolve("file"), ""); // no folder: nobody can write below it
  }

  @Test
  void aLibraryThatSomebodyPlantedIsNotLoaded() throws Exception {
    Path home = Files.createDirectory(folder.resolve("home"));
    Path temporary = Files.createDirectory(folder.resolve("tmp"));
    assertThat(run(home, temporary, List.of(), INSPECT)).startsWith("0 ");
    Path library;
    try (Stream<Path> files = Files.walk(home.resolve(".djl.ai"))) {
      library = files.filter(Files::isRegularFile).findFirst().orElseThrow();
    }
    Path planted = temporary.resolve(home.relativize(library));
    Files.createDirectories(planted.getParent());
    Files.writeString(planted, "code of somebody else");

    assertThat(run(file, temporary, List.of(), INSPECT)).startsWith("0 ");
    assertThat(planted).hasContent("code of somebody else");

    // What the user chose is used.
    assertThat(
            run(
                file,
                temporary,
                List.of("-DDJL_CACHE_DIR=" + temporary.resolve(".djl.ai")),
                INSPECT))
        .startsWith("1 ")
        .contains("must load but did not", "[" + temporary.resolve(".djl.ai/tokenizers") + "]");
  }

  @Test
  void withoutAnyFolderThatTakesFilesARunEndsInAMessage() throws Exception {
    for (List<String> words : List.of(INSPECT, List.of("demo", "--steps=1"))) {
      assertThat(run(file, file, List.of(), words))
          .startsWith("1 ")
          .contains("must be unpacked into a folder to which you alone can write", "set HOME")
          .doesNotContain("internal error", "\tat ");
    }
  }

  /** The exit code and what was printed. */
  private String run(Path home, Path temporary, List<String> jvm, List<String> words)
      throws Exception {
    Path log = Files.createTempFile(folder, "log", "");
    List<String> options =
        new ArrayList<>(List.of("-Duser.home=" + home, "-Djava.io.tmpdir=" + temporary));
    options.addAll(jvm);
    ProcessBuilder builder = Subprocess.of(log, options, words);
    builder
        .environment()
        .keySet()
        .removeAll(List.of("XDG_CACHE_HOME", "ENGINE_CACHE_DIR", "DJL_CACHE_DIR"));
    Process process = builder.start();
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    return process.exitValue() + " " + Files.readString(log);
  }
}
