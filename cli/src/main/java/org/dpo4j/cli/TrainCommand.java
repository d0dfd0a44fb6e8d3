package org.dpo4j.cli;

import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.config.TrainingOptions;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.YamlOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The command {@code train}. */
@Command(
    name = "train",
    description = "Tunes a model on preference pairs.",
    footer = {
      "",
      "--config FILE reads the same options from a YAML file, such as TRL's; flags take precedence.",
      "How each of TRL's options is treated: docs/reference/trl.md."
    })
final class TrainCommand implements Callable<Integer> {
  private final Runs runs;
  private final Console console;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--config",
      paramLabel = "PATH",
      description = "YAML file with options, such as TRL's; flags take precedence")
  private @Nullable Path file;

  private TrainCommand(Runs runs, Console console) {
    this.runs = runs;
    this.console = console;
  }

  static CommandLine line(Runs runs, Console console) {
    CommandLine line = OptionFlags.line(new TrainCommand(runs, console), TrainingConfig.OPTIONS);
    OptionFlags.addHidden(line, TrainingOptions.names());
    return line;
  }

  @Override
  public Integer call() {
    Map<String, GivenValue> fromFile = file == null ? Map.of() : YamlOptions.read(file);
    TrainingOptions options =
        TrainingOptions.resolve(
            fromFile,
            OptionFlags.given(spec.commandLine().getParseResult(), TrainingConfig.OPTIONS));
    options.config().checkInputs();
    runs.train(options, console);
    return 0;
  }
}
