package org.dpo4j.cli;

import java.util.concurrent.Callable;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.dpo4j.options.OptionTable;
import org.dpo4j.report.RunOutput;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/** A command whose options are those of one configuration: parse, check, run. */
final class RunCommand<C> implements Callable<Integer> {
  private final Runner runner;
  private final OptionTable<C> options;
  private final Consumer<C> check;
  private final BiConsumer<C, RunOutput> work;
  private final CommandSpec spec = CommandSpec.wrapWithoutInspection(this);

  private RunCommand(
      Runner runner, OptionTable<C> options, Consumer<C> check, BiConsumer<C, RunOutput> work) {
    this.runner = runner;
    this.options = options;
    this.check = check;
    this.work = work;
  }

  /**
   * @param check of the inputs, before any work starts
   * @param work the run itself
   */
  static <C> CommandLine line(
      String name,
      String description,
      Runner runner,
      OptionTable<C> options,
      Consumer<C> check,
      BiConsumer<C, RunOutput> work) {
    RunCommand<C> command = new RunCommand<>(runner, options, check, work);
    command.spec.name(name).usageMessage().description(description);
    return OptionFlags.line(command.spec, options);
  }

  @Override
  public Integer call() {
    C config = options.read(OptionFlags.given(spec.commandLine().getParseResult(), options));
    check.accept(config);
    runner.run(config, work);
    return 0;
  }
}
