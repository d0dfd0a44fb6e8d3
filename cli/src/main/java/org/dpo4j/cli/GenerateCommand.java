package org.dpo4j.cli;

import java.util.concurrent.Callable;
import org.dpo4j.config.GenerateConfig;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command {@code generate}. */
@Command(name = "generate", description = "Generates text from prompts.")
final class GenerateCommand implements Callable<Integer> {
  private final Runs runs;
  private final Console console;

  @Spec private CommandSpec spec = CommandSpec.create();

  private GenerateCommand(Runs runs, Console console) {
    this.runs = runs;
    this.console = console;
  }

  static CommandLine line(Runs runs, Console console) {
    return OptionFlags.line(new GenerateCommand(runs, console), GenerateConfig.OPTIONS);
  }

  @Override
  public Integer call() {
    GenerateConfig config =
        GenerateConfig.OPTIONS.read(
            OptionFlags.given(spec.commandLine().getParseResult(), GenerateConfig.OPTIONS));
    config.checkInputs();
    runs.generate(config, console);
    return 0;
  }
}
