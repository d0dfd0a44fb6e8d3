package org.dpo4j.cli;

import java.util.concurrent.Callable;
import org.dpo4j.OptionText;
import org.dpo4j.config.PlanConfig;
import org.dpo4j.config.TrainingOptions;
import org.dpo4j.run.PlanRun;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command {@code plan}. */
@Command(
    name = "plan",
    description = "Estimates memory and time of a training run without loading the weights.",
    footer = {
      "",
      "Takes every option of train, and its YAML file; output_dir is not used.",
    })
final class PlanCommand implements Callable<Integer> {
  private final Runner runner;
  private final Console console;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Mixin private final ConfigFile file = new ConfigFile();

  private PlanCommand(Runner runner, Console console) {
    this.runner = runner;
    this.console = console;
  }

  static CommandLine line(Runner runner, Console console) {
    CommandLine line =
        OptionFlags.line(
            CommandSpec.forAnnotatedObject(new PlanCommand(runner, console)),
            PlanConfig.OPTIONS,
            PlanConfig.UNUSED);
    OptionFlags.addHidden(line, TrainingOptions.names());
    return line;
  }

  @Override
  public Integer call() {
    PlanConfig config =
        PlanConfig.resolve(
            file.read(),
            OptionFlags.given(spec.commandLine().getParseResult(), PlanConfig.OPTIONS),
            notice -> console.err().println("note: " + OptionText.flags(notice)));
    config.checkInputs();
    runner.run(config, PlanRun::run);
    return 0;
  }
}
