package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
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
 * Closes the gap of a stopped run that ends in silence, with a stack trace, with exit code 0, or
 * with a sentence from which nobody learns whether there is a model. A new folder is in {@link
 * BadInputTest}.
 */
@DisabledOnOs(OS.WINDOWS)
class InterruptionTest {

  private static final Path EXAMPLES = Path.of("..", "examples");

  private final Path folder;

  InterruptionTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aStoppedTrainingLeavesTheFolderThatItWasToReplace()
      throws IOException, InterruptedException {
    Path out = Files.createDirectory(folder.resolve("out"));
    Files.writeString(out.resolve("dpo4j.yaml"), "of an earlier run");
    List<String> overwriting = new ArrayList<>(training(out));
    overwriting.addAll(List.of("--overwrite_output_dir", "--use_peft"));
    assertThat(interrupted(overwriting)).isEqualTo(130);
    assertThat(lastLine())
        .isEqualTo("interrupted: no adapter was saved (%s is as it was)".formatted(out));
    assertThat(names(out)).containsExactly("dpo4j.yaml");
  }

  @Test
  void aStoppedScoringSaysThatTheFileWasNotWritten() throws IOException, InterruptedException {
    Path pairs = folder.resolve("pairs.jsonl");
    Files.writeString(pairs, Files.readString(EXAMPLES.resolve("pairs.jsonl")).repeat(500));
    Path scores = folder.resolve("scores.jsonl");
    assertThat(
            interrupted(
                List.of(
                    "score",
                    "--model=" + EXAMPLES.resolve("tiny-chat"),
                    "--data_file=" + pairs,
                    "--output=" + scores)))
        .isEqualTo(130);
    assertThat(lastLine()).isEqualTo("interrupted: %s was not written".formatted(scores));
    assertThat(names(folder)).noneMatch(name -> name.contains("scores"));
  }

  private List<String> training(Path out) {
    return List.of(
        "train",
        "--model=" + EXAMPLES.resolve("tiny-chat"),
        "--data_file=" + EXAMPLES.resolve("pairs.jsonl"),
        "--output_dir=" + out,
        "--reference_cache=off",
        "--num_train_epochs=10000");
  }

  /** Runs the command line until it works on its output, stops it, and gives its exit code. */
  private int interrupted(List<String> words) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
    command.addAll(words);
    Process process =
        new ProcessBuilder(command).redirectError(folder.resolve("err").toFile()).start();
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      if (words.get(0).equals("train")) {
        assertThat(out.readLine()).startsWith("model: ");
      } else {
        while (process.isAlive() && names(folder).stream().noneMatch(n -> n.contains("pending"))) {
          TimeUnit.MILLISECONDS.sleep(50);
        }
        TimeUnit.MILLISECONDS.sleep(200); // the hook follows the file
      }
      List<String> interrupt = List.of("kill", "-INT", Long.toString(process.pid()));
      assertThat(new ProcessBuilder(interrupt).start().waitFor()).isZero();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    return process.exitValue();
  }

  private String lastLine() throws IOException {
    List<String> lines = Files.readAllLines(folder.resolve("err"));
    return lines.get(lines.size() - 1);
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> String.valueOf(file.getFileName())).toList();
    }
  }
}
