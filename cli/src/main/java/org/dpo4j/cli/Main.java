package org.dpo4j.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.dpo4j.UsageException;
import org.dpo4j.config.ChatConfig;
import org.dpo4j.config.CompareConfig;
import org.dpo4j.config.DoctorConfig;
import org.dpo4j.config.DownloadConfig;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.config.ExportConfig;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.config.InspectConfig;
import org.dpo4j.config.LedgerConfig;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.config.PairsConfig;
import org.dpo4j.config.ReportConfig;
import org.dpo4j.config.SampleConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.ServeConfig;
import org.dpo4j.demo.DemoConfig;
import org.dpo4j.demo.DemoRun;
import org.dpo4j.options.Suggestion;
import org.dpo4j.run.CompareRun;
import org.dpo4j.run.DoctorRun;
import org.dpo4j.run.DownloadRun;
import org.dpo4j.run.EvalRun;
import org.dpo4j.run.ExportRun;
import org.dpo4j.run.GenerateRun;
import org.dpo4j.run.InspectRun;
import org.dpo4j.run.LedgerRun;
import org.dpo4j.run.MergeRun;
import org.dpo4j.run.PairsRun;
import org.dpo4j.run.ReportRun;
import org.dpo4j.run.SampleRun;
import org.dpo4j.run.ScoreRun;
import org.dpo4j.run.ServeRun;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.ParseResult;

/**
 * The entry point. Exit codes: 0 done, 1 the run failed, 2 the options are wrong, 130 Ctrl-C, 143
 * SIGTERM.
 */
@Command(
    name = "dpo4j",
    description = "Tunes language models on preferences (DPO, KTO) and on demonstrations (SFT).",
    synopsisSubcommandLabel = "COMMAND",
    optionListHeading = "%nOptions:%n",
    commandListHeading = "%nCommands:%n",
    footer = {
      "",
      "dpo4j COMMAND --help lists a command's options. They are named as in TRL, --learning_rate or",
      "--learning-rate; several values follow one option, as in --data_file a.jsonl b.jsonl.",
      "--debug, anywhere, shows the stack trace of an error."
    })
public final class Main implements Callable<Integer> {
  private final Console console;
  private final CommandLine line;

  Main(Runner runner, Console console) {
    this.console = console;
    this.line = new CommandLine(this);
    line.addSubcommand(
        RunCommand.line(
            "download",
            "Fetches a model or a data set from the Hugging Face hub.",
            runner,
            DownloadConfig.OPTIONS,
            DownloadConfig::checkInputs,
            DownloadRun::run,
            "repo_id",
            "ORG/NAME"));
    line.addSubcommand(TrainCommand.train(runner, console));
    line.addSubcommand(TrainCommand.sft(runner, console));
    line.addSubcommand(PlanCommand.line(runner, console));
    line.addSubcommand(
        RunCommand.line(
            "score",
            "Writes the log-probabilities and rewards of every row.",
            runner,
            ScoreConfig.OPTIONS,
            ScoreConfig::checkInputs,
            ScoreRun::run));
    line.addSubcommand(
        RunCommand.line(
            "eval",
            "Measures models on held-out pairs: accuracies with intervals, calibration, differences.",
            runner,
            EvalConfig.OPTIONS,
            EvalConfig::checkInputs,
            EvalRun::run));
    line.addSubcommand(
        RunCommand.line(
            "ledger",
            "Shows what became of each pair of a run, and which may be mislabelled.",
            runner,
            LedgerConfig.OPTIONS,
            LedgerConfig::checkInputs,
            LedgerRun::run,
            "run",
            "PATH"));
    line.addSubcommand(
        RunCommand.line(
            "report",
            "Writes a page that explains a finished run, also of TRL's, or compares several.",
            runner,
            ReportConfig.OPTIONS,
            ReportConfig::checkInputs,
            ReportRun::run,
            "run",
            "PATH..."));
    line.addSubcommand(
        RunCommand.line(
            "doctor",
            "Says what the curves of a finished run mean, also of TRL's.",
            runner,
            DoctorConfig.OPTIONS,
            DoctorConfig::checkInputs,
            DoctorRun::run,
            "run",
            "PATH"));
    line.addSubcommand(
        RunCommand.line(
            "inspect",
            "Shows the tokens of rows and what is wrong with the data, and advises options.",
            runner,
            InspectConfig.OPTIONS,
            InspectConfig::checkInputs,
            InspectRun::run));
    line.addSubcommand(
        RunCommand.line(
            "generate",
            "Generates text from prompts.",
            runner,
            GenerateConfig.OPTIONS,
            GenerateConfig::checkInputs,
            GenerateRun::run));
    line.addSubcommand(
        RunCommand.line(
            "chat",
            "Talks with a model, or with two models beside each other.",
            runner,
            ChatConfig.OPTIONS,
            ChatConfig::checkInputs,
            (config, output) -> Chatter.run(config, output, console)));
    line.addSubcommand(
        RunCommand.line(
            "compare",
            "Shows the answers of models to the same prompts side by side.",
            runner,
            CompareConfig.OPTIONS,
            CompareConfig::checkInputs,
            CompareRun::run));
    line.addSubcommand(
        RunCommand.line(
            "serve",
            "Answers requests in the form of OpenAI's API: for trying out and small services.",
            runner,
            ServeConfig.OPTIONS,
            ServeConfig::checkInputs,
            ServeRun::run));
    line.addSubcommand(
        RunCommand.line(
            "sample",
            "Writes several completions of each prompt, with their log-probabilities.",
            runner,
            SampleConfig.OPTIONS,
            SampleConfig::checkInputs,
            SampleRun::run));
    line.addSubcommand(
        RunCommand.line(
            "pairs",
            "Makes pairs, or labelled completions, of completions that a judge scores.",
            runner,
            PairsConfig.OPTIONS,
            PairsConfig::checkInputs,
            PairsRun::run));
    line.addSubcommand(RoundsCommand.line(runner, console));
    line.addSubcommand(
        RunCommand.line(
            "merge",
            "Merges a LoRA adapter into its base model.",
            runner,
            MergeConfig.OPTIONS,
            MergeConfig::checkInputs,
            MergeRun::run));
    line.addSubcommand(
        RunCommand.line(
            "export",
            "Writes a model as a GGUF file for llama.cpp and Ollama.",
            runner,
            ExportConfig.OPTIONS,
            ExportConfig::checkInputs,
            ExportRun::run));
    line.addSubcommand(
        RunCommand.line(
            "demo",
            "Trains a tiny model on twelve built-in pairs to show what DPO does.",
            runner,
            DemoConfig.OPTIONS,
            config -> {},
            DemoRun::run));
    line.addSubcommand(TrainCommand.verifyResume(runner));
    line.addSubcommand(new CommandLine(new CompletionCommand(console)));
    line.addSubcommand(new CommandLine(new ManPagesCommand()));
    line.addSubcommand(new CommandLine(new HelpCommand()));
    line.getCommandSpec().mixinStandardHelpOptions(true).versionProvider(new Version());
    line.setExpandAtFiles(false);
    // Spelling inserts an equals sign before each value, so that a value may look like an option.
    line.setAllowOptionsAsOptionParameters(true);
    line.setUsageHelpWidth(100);
    line.setColorScheme(CommandLine.Help.defaultColorScheme(Ansi.OFF));
    line.setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8));
    line.setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8));
  }

  public static void main(String[] args) {
    // Plots are drawn into files, without a display.
    System.setProperty("java.awt.headless", "true");
    // Numbers are formatted independently of the user's locale.
    Locale.setDefault(Locale.ROOT);
    Console console = Console.system();
    // Where libraries and uncaught exceptions print.
    System.setOut(console.out());
    System.setErr(console.err());
    System.exit(new Main(Runner.on(console), console).run(args));
  }

  /** Runs one command line and gives its exit code; every failure has been printed. */
  int run(String... args) {
    List<String> words = Arrays.stream(args).filter(word -> !word.equals("--debug")).toList();
    boolean debug = words.size() < args.length;
    try {
      requireReadable(words);
      ParseResult parsed = line.parseArgs(spelled(words).toArray(String[]::new));
      Integer helped = CommandLine.executeHelpRequest(parsed);
      return helped != null ? helped : command(parsed).call();
    } catch (Throwable failure) {
      return new Failure(console, debug).print(failure, words.isEmpty() ? "" : words.get(0));
    }
  }

  /**
   * Refuses arguments that the JVM could not decode: characters outside the locale's character set
   * arrive as U+FFFD.
   */
  private static void requireReadable(List<String> words) {
    for (String word : words) {
      if (word.indexOf('\uFFFD') >= 0) {
        throw new UsageException(
            "the argument \"%s\" has characters that are not in the character set of the locale, %s; "
                    .formatted(word, System.getProperty("sun.jnu.encoding"))
                + "set LC_ALL=C.UTF-8 (or another UTF-8 locale) in the environment and start again");
      }
    }
  }

  /** Checks the command and normalizes the spelling of its options. */
  private List<String> spelled(List<String> words) {
    if (words.isEmpty() || words.get(0).startsWith("-")) {
      return words;
    }
    boolean help = words.get(0).equals("help") && words.size() > 1 && !words.get(1).startsWith("-");
    String name = words.get(help ? 1 : 0);
    CommandLine command = line.getSubcommands().get(name);
    if (command == null) {
      throw new UsageException(
          "unknown command \"%s\"; %s"
              .formatted(
                  name,
                  Suggestion.nearest(name, line.getSubcommands().keySet())
                      .map("did you mean %s?"::formatted)
                      .orElse("dpo4j --help lists the commands")));
    }
    if (help) {
      return words;
    }
    if (words.size() == 2 && words.get(1).equals("help")) {
      return List.of(name, "--help");
    }
    return Spelling.of(command.getCommandSpec()).canonical(words);
  }

  @SuppressWarnings("unchecked") // Every command is a Callable of its exit code.
  private static Callable<Integer> command(ParseResult parsed) {
    ParseResult last = parsed.hasSubcommand() ? parsed.subcommand() : parsed;
    return (Callable<Integer>) last.commandSpec().userObject();
  }

  /** Without a command: shows the commands. */
  @Override
  public Integer call() {
    line.usage(console.out());
    return 0;
  }
}
