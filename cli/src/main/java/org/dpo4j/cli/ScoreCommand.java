package org.dpo4j.cli;

import java.util.concurrent.Callable;
import org.dpo4j.config.ScoreConfig;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command {@code score}. */
@Command(name = "score", description = "Writes the log-probabilities and rewards of every pair.")
final class ScoreCommand implements Callable<Integer> {
  private final Runs runs;
  private final Console console;

  @Spec private CommandSpec spec = CommandSpec.create();

  private ScoreCommand(Runs runs, Console console) {
    this.runs = runs;
    this.console = console;
  }

  static CommandLine line(Runs runs, Console console) {
    return OptionFlags.line(new ScoreCommand(runs, console), ScoreConfig.OPTIONS);
  }

  @Override
  public Integer call() {
    ScoreConfig config =
        ScoreConfig.OPTIONS.read(
            OptionFlags.given(spec.commandLine().getParseResult(), ScoreConfig.OPTIONS));
    config.checkInputs();
    runs.score(config, console);
    return 0;
  }
}
