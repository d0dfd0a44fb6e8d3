package org.dpo4j.cli;

import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.ToIntBiFunction;
import org.dpo4j.Cancellation;
import org.dpo4j.EndReason;
import org.dpo4j.ExampleKind;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.config.TrainingOptions;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.ProgramInputs;
import org.dpo4j.run.TrainingRun;
import org.dpo4j.run.VerifyResumeRun;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/**
 * The commands {@code train}, {@code sft} and {@code verify-resume}, which have the same options.
 */
@Command(
    footer = {
      "",
      "--config FILE reads the same options from a YAML file, such as TRL's; flags take precedence.",
      "How each of TRL's options is treated: docs/reference/trl.md."
    })
final class TrainCommand implements Callable<Integer> {

  /** What {@code sft} sets: the loss, and TRL's learning rate for it. */
  private static final Map<String, String> SFT =
      Map.of("loss_type", "nll", "learning_rate", "2e-5");

  private final Runner runner;
  private final Map<String, String> defaults;
  private final ToIntBiFunction<TrainingConfig, RunOutput> work;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Mixin private final ConfigFile file = new ConfigFile();

  /**
   * @param defaults of options, where they differ from those of {@code train}
   * @param work gives the exit code
   */
  private TrainCommand(
      Runner runner,
      Map<String, String> defaults,
      ToIntBiFunction<TrainingConfig, RunOutput> work) {
    this.runner = runner;
    this.defaults = defaults;
    this.work = work;
  }

  static CommandLine train(Runner runner, Console console) {
    return line(
        new TrainCommand(runner, Map.of(), (config, output) -> train(config, output, console)),
        "train",
        "Tunes a model on preference pairs, or on completions with a label (KTO).");
  }

  /** {@code train} with the loss on demonstrations and without what it has no use for. */
  static CommandLine sft(Runner runner, Console console) {
    return line(
        new TrainCommand(runner, SFT, (config, output) -> train(config, output, console)),
        "sft",
        "Fine-tunes a model on demonstrations: prompts with completions, or conversations.");
  }

  private static void requireDemonstrations(TrainingConfig config) {
    if (config.loss().examples() != ExampleKind.DEMONSTRATIONS) {
      throw new UsageException(
          "loss_type",
          "is nll in the command sft",
          "was " + OptionType.text(config.loss().lossType()),
          "use the command train");
    }
  }

  /** The exit code after SIGTERM. */
  private static final int SUSPENDED = 143;

  private static int train(TrainingConfig config, RunOutput output, Console console) {
    Cancellation cancellation = new Cancellation();
    try (StopSignals signals = StopSignals.suspending(cancellation, console)) {
      TrainingResult result =
          TrainingRun.run(config, ProgramInputs.NONE, output, cancellation, List.of());
      int code = signals.exitCode();
      // Another rank got the signal: a launcher must not take this one for done.
      return code == 0 && result.endReason() == EndReason.SUSPENDED ? SUSPENDED : code;
    }
  }

  static CommandLine verifyResume(Runner runner) {
    return line(
        new TrainCommand(
            runner,
            Map.of(),
            (config, output) -> {
              VerifyResumeRun.run(config, output);
              return 0;
            }),
        "verify-resume",
        "Does the first steps of a training run with and without a break, and compares the bytes.");
  }

  private static CommandLine line(TrainCommand command, String name, String description) {
    CommandSpec spec = CommandSpec.forAnnotatedObject(command).name(name);
    spec.usageMessage().description(description);
    CommandLine line =
        OptionFlags.line(
            spec,
            TrainingConfig.OPTIONS,
            command.defaults,
            option -> command.defaults.isEmpty() || !option.group().equals("loss"));
    OptionFlags.addHidden(line, TrainingOptions.names());
    return line;
  }

  @Override
  public Integer call() {
    TrainingOptions options =
        TrainingOptions.resolve(
            defaults,
            file.read(),
            OptionFlags.given(spec.commandLine().getParseResult(), TrainingConfig.OPTIONS));
    if (defaults.equals(SFT)) {
      requireDemonstrations(options.config());
    }
    options.config().checkInputs();
    AtomicInteger exitCode = new AtomicInteger();
    runner.run(
        options.config(),
        (config, output) -> {
          options.report(output);
          exitCode.set(work.applyAsInt(config, output));
        });
    return exitCode.get();
  }
}
