package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.dpo4j.OptionText;
import org.dpo4j.report.StyledLine.Ink;
import org.junit.jupiter.api.Test;

/** Closes colours in files, text of others that colours itself, and a style that is never reset. */
class StyledLineTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  @Test
  void aTerminalGetsColoursThatEndWithTheirPart() {
    print(true);
    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo("row \u001b[36m\\u001b[2J\\n--beta\u001b[0m end" + System.lineSeparator());
  }

  @Test
  void aFileGetsTheTextAlone() {
    print(false);
    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo("row \\u001b[2J\\n--beta end" + System.lineSeparator());
  }

  private void print(boolean coloured) {
    PrintStream stream = new PrintStream(out, true, StandardCharsets.UTF_8);
    new RunOutput(stream, stream, Progress.NONE, OptionText::flags, coloured)
        .print(
            new StyledLine()
                .add("row ")
                .add(Ink.PROMPT, "\u001b[2J\n" + OptionText.of("{beta}"))
                .add(" end"));
  }
}
