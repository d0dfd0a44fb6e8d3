package org.dpo4j.cli;

import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command {@code completion}: {@code source <(./dpo4j completion)} in bash or zsh. */
@Command(
    name = "completion",
    mixinStandardHelpOptions = true,
    description = "Prints a completion script for bash and zsh; use: source <(./dpo4j completion)")
final class CompletionCommand implements Callable<Integer> {
  /** An option without a closed list of values, which picocli does not complete. */
  private static final Pattern OPEN_VALUE = Pattern.compile("(    '--[^\n]*'\\)\n)      return\n");

  private static final String FILE_NAMES =
      "      type compopt &>/dev/null && compopt -o default\n      return\n";

  private final Console console;

  @Spec private CommandSpec spec = CommandSpec.create();

  CompletionCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    String script = AutoComplete.bash("dpo4j", spec.root().commandLine());
    console.out().print(OPEN_VALUE.matcher(script).replaceAll("$1" + FILE_NAMES));
    return 0;
  }
}
