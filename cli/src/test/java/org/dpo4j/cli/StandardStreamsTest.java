package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes the gap between {@code --output -} and a file called so: results on standard output must
 * be those of the file and nothing else, so that another program can read them.
 */
class StandardStreamsTest {
  private static final Path EXAMPLES = Path.of("..", "examples");

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Path folder;

  StandardStreamsTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @ParameterizedTest
  @ValueSource(strings = {"score", "inspect", "plan --trial=false"})
  void rowsOnStandardOutputAreThoseOfTheFileAndNothingElse(String command) throws IOException {
    Path pairs = folder.resolve("pairs.jsonl");
    Files.write(pairs, Files.readAllLines(EXAMPLES.resolve("pairs.jsonl")).subList(0, 2));
    Path file = folder.resolve("rows.jsonl");
    String call =
        "%s --model %s --data_file %s --output "
            .formatted(command, EXAMPLES.resolve("tiny-chat"), pairs);

    assertThat(run(call + file)).as("%s", err).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("written to " + file);
    out.reset();
    err.reset();
    assertThat(run(call + "-")).as("%s", err).isZero();

    List<String> rows = out.toString(StandardCharsets.UTF_8).lines().toList();
    assertThat(rows).isNotEmpty().allMatch(row -> row.startsWith("{") && row.endsWith("}"));
    if (!command.startsWith("plan")) { // whose figures have times in them
      assertThat(rows).isEqualTo(Files.readAllLines(file));
    }
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("pairs.jsonl").doesNotContain("{\"");
    assertThat(Path.of("-")).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(strings = {"Größe\nHello\n", "{\"prompt\": \"Größe\"}\n{\"prompt\": \"Hello\"}\n"})
  void promptsComeFromStandardInput(String prompts) {
    InputStream before = System.in;
    System.setIn(new ByteArrayInputStream(prompts.getBytes(StandardCharsets.UTF_8)));
    try {
      assertThat(
              run(
                  "generate --max_new_tokens 2 --prompts_file - --model "
                      + EXAMPLES.resolve("tiny-chat")))
          .as("%s", err)
          .isZero();
    } finally {
      System.setIn(before);
    }
    assertThat(out.toString(StandardCharsets.UTF_8).lines())
        .hasSize(2)
        .first()
        .asString()
        .startsWith("{\"prompt\":\"Größe\",");
  }

  @Test
  void standardInputIsNoFileOfPairs() {
    assertThat(run("inspect --data_file - --model " + EXAMPLES.resolve("tiny-chat"))).isEqualTo(2);
    assertThat(err.toString(StandardCharsets.UTF_8))
        .contains("--data_file must be a path but was -", "cannot be used here");
  }

  private int run(String words) {
    Console console =
        new Console(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            false);
    return new Main(Runner.on(console), console).run(words.split(" "));
  }
}
