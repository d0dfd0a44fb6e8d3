package org.dpo4j.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.dpo4j.Cancellation;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.config.TrainingOptions;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.run.ProgramInputs;
import org.dpo4j.run.TrainingRun;
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
  private final Runner runner;
  private final Console console;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--config",
      paramLabel = "PATH",
      description = "YAML file with options, such as TRL's; flags take precedence")
  private @Nullable Path file;

  private TrainCommand(Runner runner, Console console) {
    this.runner = runner;
    this.console = console;
  }

  static CommandLine line(Runner runner, Console console) {
    CommandLine line =
        OptionFlags.line(
            CommandSpec.forAnnotatedObject(new TrainCommand(runner, console)),
            TrainingConfig.OPTIONS);
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
    Cancellation cancellation = new Cancellation();
    try (StopSignals signals = StopSignals.suspending(cancellation, console)) {
      runner.run(
          options.config(),
          (config, output) -> {
            options.report(output);
            TrainingRun.run(config, ProgramInputs.NONE, output, cancellation, List.of());
          });
      return signals.exitCode();
    }
  }
}
