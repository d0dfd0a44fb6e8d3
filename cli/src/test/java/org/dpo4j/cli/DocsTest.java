package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes the gap between what the documentation tells people to type and what works: every command
 * in a fenced {@code sh} block runs, document by document, on a copy of the examples. Training is
 * cut short at two steps.
 */
@DisabledOnOs(OS.WINDOWS)
class DocsTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

  /** Commands that are shown but not run, and why. */
  private static final Map<String, String> NOT_RUN =
      Map.of(
          "mvn verify", "it is what runs this test",
          "benchmarks/run", "it takes hours; SuiteTest runs it on a tiny model",
          "benchmarks/run --quick", "it builds, which is what runs this test",
          "benchmarks/run parts", "it takes minutes");

  /** Half of a command's time is the start of its JVM, which uses one core. */
  private static final int AT_A_TIME = 2;

  private final Path folder;

  private final HubOfExamples hub = new HubOfExamples(0);

  DocsTest(@TempDir Path folder) throws IOException {
    this.folder = folder;
  }

  @AfterEach
  void stopHub() {
    hub.close();
  }

  @Test
  void everyCommandOfTheDocumentationWorks() throws Exception {
    List<String> failures = new CopyOnWriteArrayList<>();
    ExecutorService runs = Executors.newFixedThreadPool(AT_A_TIME);
    List<Future<Integer>> counts = new ArrayList<>();
    try {
      for (Path document : documents()) {
        counts.add(runs.submit(() -> run(document, failures)));
      }
      int commands = 0;
      for (Future<Integer> count : counts) {
        commands += count.get();
      }
      // Raise it with every command that the documentation gains.
      assertThat(commands).isEqualTo(75);
    } finally {
      runs.shutdownNow();
    }

    assertThat(failures).isEmpty();
    assertThat(folder.resolve("get-a-model.md/models/smollm2-135m"))
        .isDirectoryContaining("glob:**/tokenizer.json")
        .isDirectoryContaining("glob:**/model.safetensors");
  }

  /** Runs the commands of a document, in its order; returns their number. */
  private int run(Path document, List<String> failures) throws IOException, InterruptedException {
    List<String> lines = commands(document);
    Path place = place(document.getFileName().toString());
    for (String line : lines) {
      if (!NOT_RUN.containsKey(line)) {
        run(line, place).ifFailed(failures, document);
      }
    }
    return lines.size();
  }

  private static List<Path> documents() throws IOException {
    List<Path> documents = new ArrayList<>(List.of(ROOT.resolve("README.md")));
    try (Stream<Path> docs = Files.walk(ROOT.resolve("docs"))) {
      docs.filter(file -> file.toString().endsWith(".md")).sorted().forEach(documents::add);
    }
    return documents;
  }

  private static List<String> commands(Path document) throws IOException {
    List<String> commands = new ArrayList<>();
    boolean inside = false;
    for (String indented : Files.readAllLines(document)) {
      String line = indented.strip(); // a step of a list is indented
      if (line.startsWith("```")) {
        inside = line.equals("```sh");
      } else if (inside && !line.isBlank()) {
        commands.add(line);
      }
    }
    return commands;
  }

  /**
   * A folder as a reader has it: the examples, and a launcher that starts the classes under test.
   */
  private Path place(String name) throws IOException {
    Path place = Files.createDirectories(folder.resolve(name));
    try (Stream<Path> examples = Files.walk(ROOT.resolve("examples"))) {
      for (Path source : examples.toList()) {
        Files.copy(source, place.resolve(ROOT.relativize(source).toString()));
      }
    }
    Path launcher =
        Files.writeString(
            place.resolve("dpo4j"),
            """
            #!/bin/sh
            case "$1" in train|sft) set -- "$@" --max_steps 2 ;; esac
            exec '%s' -Xmx512m -XX:TieredStopAtLevel=1 -cp '%s' org.dpo4j.cli.Main "$@"
            """
                .formatted(
                    Path.of(System.getProperty("java.home"), "bin", "java"),
                    System.getProperty("java.class.path")));
    assertThat(launcher.toFile().setExecutable(true)).isTrue();
    return place;
  }

  private Run run(String line, Path place) throws IOException, InterruptedException {
    Path output = Files.createTempFile(folder, "output", "");
    ProcessBuilder builder =
        new ProcessBuilder("sh", "-c", line)
            .directory(place.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    builder.environment().put("HF_ENDPOINT", hub.address());
    Process process = builder.start();
    if (!process.waitFor(10, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      return new Run(line, -1, "did not end");
    }
    return new Run(line, process.exitValue(), Files.readString(output));
  }

  private record Run(String line, int code, String output) {
    void ifFailed(List<String> failures, Path document) {
      if (code != 0) {
        failures.add(
            "%s: %s%nexit code %d%n%s".formatted(ROOT.relativize(document), line, code, output));
      }
    }
  }
}
