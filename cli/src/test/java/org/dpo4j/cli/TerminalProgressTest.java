package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** Closes: a long task without a sign of life, and a bar and text that garble each other. */
class TerminalProgressTest {
  private static final String WIPE = "\r\u001b[K";

  private final ByteArrayOutputStream screen = new ByteArrayOutputStream();
  private long seconds;

  @Test
  void aLogFileHasALineNowAndThenWithTheTimeLeft() {
    try (TerminalProgress progress = progress(false)) {
      progress.update("reference", 0, 400, "");
      for (int done = 1; done <= 400; done++) {
        seconds = done; // a pair a second
        progress.update("reference", done, 400, "");
      }
    }
    assertThat(printed().lines())
        .hasSize(17) // each 20 s until 200 s, then each tenth of the time so far
        .startsWith(
            "reference: 20 of 400 (5 %), 6 min left", // 380 s
            "reference: 40 of 400 (10 %), 6 min left",
            "reference: 60 of 400 (15 %), 6 min left") // 340 s are 5.67 min
        .contains("reference: 357 of 400 (89 %), 43 s left");
  }

  @Test
  void aShortTaskHasNoLine() {
    try (TerminalProgress progress = progress(false)) {
      progress.update("training", 0, 10, "");
      seconds = 19;
      progress.update("training", 9, 10, "loss 0.5");
      seconds = 30;
      progress.update("training", 10, 10, "loss 0.4");
    }
    assertThat(printed()).isEmpty();
  }

  @Test
  void theTimeLeftCountsFromWhereTheTaskWasFirstSeen() {
    try (TerminalProgress progress = progress(false)) {
      seconds = 100;
      progress.update("training", 50, 100, "");
      seconds = 130;
      progress.update("training", 60, 100, "loss 0.5");
    }
    // 10 of the 50 that are left took 30 s: 40 more take 120 s.
    assertThat(printed()).isEqualTo("training: 60 of 100 (60 %), 2 min left, loss 0.5\n");
  }

  @Test
  void aBarStaysOnItsLineAndTextWipesIt() {
    PrintStream terminal = terminal();
    try (TerminalProgress progress =
        new TerminalProgress(
            new Console(terminal, terminal, true), () -> seconds * 1_000_000_000)) {
      progress.update("training", 0, 8, "");
      seconds = 10;
      progress.update("training", 2, 8, "loss 0.5");
      terminal.println("a line");
      seconds = 20;
      progress.update("training", 4, 8, "");
      progress.update("training", 8, 8, "");
    }
    assertThat(printed())
        .isEqualTo(
            WIPE
                + "training [                        ] 0/8"
                + WIPE
                // 2 of 8 in 10 s: the other 6 take 30 s.
                + "training [======                  ] 2/8, 30 s left, loss 0.5"
                + WIPE
                + "a line\n"
                + WIPE
                + "training [============            ] 4/8, 20 s left"
                + WIPE);
  }

  @Test
  void aBarNeverWrapsSinceAWrappedLineCannotBeWiped() {
    PrintStream terminal = terminal();
    try (TerminalProgress progress =
        new TerminalProgress(new Console(terminal, terminal, true), () -> 0)) {
      progress.update("training", 1, 8, "x".repeat(200));
    }
    assertThat(printed().split(WIPE.replace("[", "\\["), -1))
        .allSatisfy(bar -> assertThat(bar).hasSizeLessThan(80));
  }

  private TerminalProgress progress(boolean interactive) {
    PrintStream stream = new PrintStream(screen, true, StandardCharsets.UTF_8);
    return new TerminalProgress(
        new Console(stream, stream, interactive), () -> seconds * 1_000_000_000);
  }

  private PrintStream terminal() {
    return new PrintStream(new BarClearingStream(screen), true, StandardCharsets.UTF_8);
  }

  private String printed() {
    return screen.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n");
  }
}
