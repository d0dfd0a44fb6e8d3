package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Closes control sequences in files, in pipes, and on terminals whose user wants none. */
class ConsoleTest {
  private static final Path EXAMPLES = Path.of("..", "examples");

  @ParameterizedTest
  @CsvSource({
    "true, '', xterm, true",
    "true, 1, xterm, false",
    "true, 0, xterm, false",
    "true, '', dumb, false",
    "false, '', xterm, false"
  })
  void coloursAreForTerminalsThatShowThem(
      boolean terminal, String noColour, String kind, boolean coloured) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Map<String, String> environment = Map.of("NO_COLOR", noColour, "TERM", kind);
    Console console = Console.of(out, terminal, err, false, environment);
    int code =
        new Main(Runner.on(console), console)
            .run(
                "inspect",
                "--model=" + EXAMPLES.resolve("tiny-chat"),
                "--data_file=" + EXAMPLES.resolve("eval.jsonl"),
                "--rows=1");
    assertThat(code).as("%s", err).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8).contains("\u001b[36m")).isEqualTo(coloured);
    assertThat(err.toString(StandardCharsets.UTF_8)).doesNotContain("\u001b");
  }
}
