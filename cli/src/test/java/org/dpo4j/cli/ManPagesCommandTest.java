package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a manual page that lacks an option of the help, or shows a text other than it is. */
class ManPagesCommandTest {

  private static final String HELP =
      """
      Usage: dpo4j try --model PATH [OPTIONS]
             [--more]
      Tries a model.

      Model:
        --model PATH   folder with c:\\x
                       and more
      .not a macro
      """;

  @Test
  void aHelpBecomesAPage() throws Exception {
    assertThat(ManPagesCommand.page("dpo4j-try", HELP, List.of("dpo4j")).lines())
        .containsSubsequence(
            ".SH NAME",
            "dpo4j\\-try \\- Tries a model",
            ".SH SYNOPSIS",
            "dpo4j try \\-\\-model PATH [OPTIONS] [\\-\\-more]",
            ".SH DESCRIPTION",
            "Tries a model.",
            ".SS Model",
            ".TP",
            ".B \\-\\-model PATH",
            "folder with c:\\ex",
            "and more",
            "\\&.not a macro",
            ".SH SEE ALSO",
            ".BR dpo4j (1)");
  }

  @Test
  void everyCommandGetsAPageWithItsOptions(@TempDir Path folder) throws Exception {
    Console console = Console.system();
    Path pages = folder.resolve("man/man1");

    assertThat(new Main(Runner.on(console), console).run("man-pages", pages.toString())).isZero();

    assertThat(Files.readString(pages.resolve("dpo4j.1")))
        .contains(".BR dpo4j-train (1)", ".BR dpo4j-serve (1)", "\\-\\-version")
        .doesNotContain("man\\-pages");
    assertThat(Files.readString(pages.resolve("dpo4j-train.1")))
        .contains(".B \\-\\-learning_rate X\n", ".SS Model", ".BR dpo4j (1)");
    assertThat(pages.resolve("dpo4j-man-pages.1")).doesNotExist();
  }
}
