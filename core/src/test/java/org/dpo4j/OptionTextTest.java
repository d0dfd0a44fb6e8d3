package org.dpo4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class OptionTextTest {
  private static final Pattern LITERAL = Pattern.compile("\"(?:[^\"\\\\\\n]|\\\\.)*\"");
  private static final Pattern FLAG = Pattern.compile("--[a-z%]");

  /** Commands that a user can copy. */
  private static final Pattern COMMAND = Pattern.compile("dpo4j ");

  /** The parts of such commands stand in literals of their own here. */
  private static final List<String> COMMANDS = List.of("ModelCard.java", "TrainingSummary.java");

  @Test
  void aJavaProgramReadsTheNameAndTheCommandLineTheFlag() {
    String text = OptionText.of("{%s} must be above 0 but was %d; lower {beta}", "max_steps", -2);
    assertThat(OptionText.plain(text))
        .isEqualTo("max_steps must be above 0 but was -2; lower beta");
    assertThat(OptionText.flags(text))
        .isEqualTo("--max_steps must be above 0 but was -2; lower --beta");
  }

  @Test
  void bracesInAUsersDataAreNotNamesOfOptions() {
    String text = OptionText.of("{data_file} must be there but %s is not", "{model}/--beta.jsonl");
    assertThat(OptionText.plain(text))
        .isEqualTo("data_file must be there but {model}/--beta.jsonl is not");
    assertThat(OptionText.flags(text)).startsWith("--data_file ").contains("{model}/--beta.jsonl");
  }

  @Test
  void aUsageExceptionHasFieldsAndAMessageMadeOfThem() {
    UsageException failure =
        new UsageException(
            "output_dir",
            "must be new or empty",
            "out holds files",
            OptionText.of("name another folder, or pass {overwrite_output_dir}"));
    assertThat(failure)
        .hasMessage(
            "output_dir must be new or empty but out holds files; name another folder, or pass"
                + " overwrite_output_dir");
    assertThat(failure.option()).isEqualTo("output_dir");
    assertThat(failure.rule()).isEqualTo("must be new or empty");
    assertThat(failure.found()).isEqualTo("out holds files");
    assertThat(failure.whatToDo()).isEqualTo("name another folder, or pass overwrite_output_dir");
    UsageException placed = failure.at("run.yaml:3: ");
    assertThat(placed).hasMessageStartingWith("run.yaml:3: output_dir must");
    assertThat(placed.option()).isEqualTo("output_dir");
    assertThat(OptionText.flags(placed.text())).startsWith("run.yaml:3: --output_dir must");
  }

  @Test
  void noMessageOfTheLibraryWritesTheDashesOfAnOption() throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("src/main"))) {
      List<String> found =
          files
              .filter(file -> file.toString().endsWith(".java"))
              .filter(file -> !COMMANDS.contains(file.getFileName().toString()))
              .flatMap(OptionTextTest::flags)
              .toList();
      assertThat(found).isEmpty();
    }
  }

  private static Stream<String> flags(Path file) {
    try {
      String code =
          Pattern.compile("^\\s*(\\*|/\\*\\*|//).*$", Pattern.MULTILINE)
              .matcher(Files.readString(file))
              .replaceAll("");
      Matcher literals = LITERAL.matcher(code);
      return literals
          .results()
          .map(literal -> literal.group())
          .filter(text -> FLAG.matcher(text).find() && !COMMAND.matcher(text).find())
          .map(text -> file.getFileName() + ": " + text);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
