package org.dpo4j.cli;

import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.dpo4j.UsageException;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.OptionTable;
import org.dpo4j.report.RunOutput;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParseResult;

/**
 * A command whose options are those of one configuration: parse, check, run. The value of one of
 * them may stand without its name.
 */
final class RunCommand<C> implements Callable<Integer> {
  private final Runner runner;
  private final OptionTable<C> options;
  private final Consumer<C> check;
  private final BiConsumer<C, RunOutput> work;
  private final String first;
  private final CommandSpec spec = CommandSpec.wrapWithoutInspection(this);

  private RunCommand(
      Runner runner,
      OptionTable<C> options,
      Consumer<C> check,
      BiConsumer<C, RunOutput> work,
      String first) {
    this.runner = runner;
    this.options = options;
    this.check = check;
    this.work = work;
    this.first = first;
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
    return command(name, description, runner, options, check, work, "").line();
  }

  private static <C> RunCommand<C> command(
      String name,
      String description,
      Runner runner,
      OptionTable<C> options,
      Consumer<C> check,
      BiConsumer<C, RunOutput> work,
      String first) {
    RunCommand<C> command = new RunCommand<>(runner, options, check, work, first);
    command.spec.name(name).usageMessage().description(description);
    return command;
  }

  private CommandLine line() {
    return OptionFlags.line(spec, options);
  }

  /**
   * As above, for a command whose first word without an option may be the value of one; all such
   * words, if that option takes several.
   *
   * @param first the option
   * @param label of its value in the synopsis
   */
  static <C> CommandLine line(
      String name,
      String description,
      Runner runner,
      OptionTable<C> options,
      Consumer<C> check,
      BiConsumer<C, RunOutput> work,
      String first,
      String label) {
    RunCommand<C> command = command(name, description, runner, options, check, work, first);
    command.spec.addPositional(
        PositionalParamSpec.builder()
            .arity(command.takesSeveral() ? "0..*" : "0..1")
            .index(command.takesSeveral() ? "0..*" : "0")
            .type(List.class)
            .auxiliaryTypes(String.class)
            .paramLabel(label)
            .hidden(true) // the synopsis and the option show it
            .build());
    CommandLine line = command.line();
    String[] synopsis = command.spec.usageMessage().customSynopsis();
    command
        .spec
        .usageMessage()
        .customSynopsis(synopsis[0].replaceFirst("--%s \\S+".formatted(first), label));
    return line;
  }

  private boolean takesSeveral() {
    return options.options().stream()
        .anyMatch(option -> option.name().equals(first) && option.list());
  }

  @Override
  public Integer call() {
    ParseResult parsed = spec.commandLine().getParseResult();
    Map<String, GivenValue> given = OptionFlags.given(parsed, options);
    if (parsed.hasMatchedPositional(0)) {
      List<String> words = parsed.matchedPositionalValue(0, List.of());
      String value = String.join(",", words);
      if (given.put(first, GivenValue.of(value)) != null) {
        throw new UsageException(
            first, "is given twice", words.get(0) + " stands without its name", "keep one");
      }
    }
    C config = options.read(given);
    check.accept(config);
    runner.run(config, work);
    return 0;
  }
}
