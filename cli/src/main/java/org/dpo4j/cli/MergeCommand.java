package org.dpo4j.cli;

import java.util.concurrent.Callable;
import org.dpo4j.config.MergeConfig;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command {@code merge}. */
@Command(name = "merge", description = "Merges a LoRA adapter into its base model.")
final class MergeCommand implements Callable<Integer> {
  private final Runs runs;
  private final Console console;

  @Spec private CommandSpec spec = CommandSpec.create();

  private MergeCommand(Runs runs, Console console) {
    this.runs = runs;
    this.console = console;
  }

  static CommandLine line(Runs runs, Console console) {
    return OptionFlags.line(new MergeCommand(runs, console), MergeConfig.OPTIONS);
  }

  @Override
  public Integer call() {
    MergeConfig config =
        MergeConfig.OPTIONS.read(
            OptionFlags.given(spec.commandLine().getParseResult(), MergeConfig.OPTIONS));
    config.checkInputs();
    runs.merge(config, console);
    return 0;
  }
}
