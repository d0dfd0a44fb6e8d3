package org.dpo4j.cli;

import java.util.concurrent.Callable;
import org.dpo4j.demo.DemoConfig;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command {@code demo}. */
@Command(
    name = "demo",
    description = "Trains a tiny model on twelve built-in pairs to show what DPO does.")
final class DemoCommand implements Callable<Integer> {
  private final Runs runs;
  private final Console console;

  @Spec private CommandSpec spec = CommandSpec.create();

  private DemoCommand(Runs runs, Console console) {
    this.runs = runs;
    this.console = console;
  }

  static CommandLine line(Runs runs, Console console) {
    return OptionFlags.line(new DemoCommand(runs, console), DemoConfig.OPTIONS);
  }

  @Override
  public Integer call() {
    DemoConfig config =
        DemoConfig.OPTIONS.read(
            OptionFlags.given(spec.commandLine().getParseResult(), DemoConfig.OPTIONS));

    runs.demo(config, console);
    return 0;
  }
}
