package org.dpo4j.cli;

import java.util.concurrent.Callable;
import org.dpo4j.config.InspectConfig;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command {@code inspect}. */
@Command(
    name = "inspect",
    description = "Shows the tokens of each pair: where the prompt ends, what is cut or dropped.")
final class InspectCommand implements Callable<Integer> {
  private final Runs runs;
  private final Console console;

  @Spec private CommandSpec spec = CommandSpec.create();

  private InspectCommand(Runs runs, Console console) {
    this.runs = runs;
    this.console = console;
  }

  static CommandLine line(Runs runs, Console console) {
    return OptionFlags.line(new InspectCommand(runs, console), InspectConfig.OPTIONS);
  }

  @Override
  public Integer call() {
    InspectConfig config =
        InspectConfig.OPTIONS.read(
            OptionFlags.given(spec.commandLine().getParseResult(), InspectConfig.OPTIONS));
    config.checkInputs();
    runs.inspect(config, console);
    return 0;
  }
}
