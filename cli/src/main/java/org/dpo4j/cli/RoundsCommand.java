package org.dpo4j.cli;

import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import org.dpo4j.Cancellation;
import org.dpo4j.OptionText;
import org.dpo4j.TrainingResult;
import org.dpo4j.config.RoundsConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.config.TrainingOptions;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.ProgramInputs;
import org.dpo4j.run.RoundsRun;
import org.dpo4j.run.TrainingRun;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command {@code rounds}. */
@Command(
    name = "rounds",
    description = "Samples answers, judges them and trains on the pairs, in several rounds.",
    footer = {
      "",
      "Takes the options of sample, pairs and train, on the command line and in the YAML file of",
      "--config. What each round writes: docs/reference/rounds.md.",
    })
final class RoundsCommand implements Callable<Integer> {
  private final Runner runner;
  private final Console console;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Mixin private final ConfigFile file = new ConfigFile();

  private RoundsCommand(Runner runner, Console console) {
    this.runner = runner;
    this.console = console;
  }

  static CommandLine line(Runner runner, Console console) {
    CommandLine line =
        OptionFlags.line(
            CommandSpec.forAnnotatedObject(new RoundsCommand(runner, console)),
            RoundsConfig.OPTIONS,
            RoundsConfig.UNUSED.toArray(String[]::new));
    OptionFlags.addHidden(line, TrainingOptions.names());
    return line;
  }

  @Override
  public Integer call() {
    RoundsConfig config =
        RoundsConfig.resolve(
            file.read(),
            OptionFlags.given(spec.commandLine().getParseResult(), RoundsConfig.OPTIONS),
            notice -> console.err().println("note: " + OptionText.flags(notice)));
    config.checkInputs();
    AtomicInteger exitCode = new AtomicInteger();
    Cancellation cancellation = new Cancellation();
    runner.run(
        config,
        (rounds, output) ->
            RoundsRun.run(
                rounds,
                output,
                cancellation,
                (training, to) -> train(training, to, cancellation, exitCode)));
    return exitCode.get();
  }

  private TrainingResult train(
      TrainingConfig config, RunOutput output, Cancellation cancellation, AtomicInteger exitCode) {
    try (StopSignals signals = StopSignals.suspending(cancellation, console)) {
      TrainingResult result =
          TrainingRun.run(config, ProgramInputs.NONE, output, cancellation, List.of());
      exitCode.set(signals.exitCode());
      return result;
    }
  }
}
