package org.dpo4j.config;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.judge.Judge;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;
import org.dpo4j.options.ReadableFile;

/** The configuration of {@code pairs}: completions, a judge, a choice, and an output file. */
public record PairsConfig(
    @Option(help = "completions, as sample writes them", aliases = "completions")
        Path completionsFile,
    @Option(help = "file for the pairs, one JSON line per pair; - is stdout", stream = true)
        Path output,
    @Option(help = "regex, exact, length, json_schema, command, scores or reward") JudgeType judge,
    @Option(help = "regex: regular expression to find in a completion") Optional<String> pattern,
    @Option(help = "exact, regex: column of the right answer; regex compares group 1")
        Optional<String> answerColumn,
    @Option(help = "length: which completions are better") Optional<PreferredLength> prefer,
    @Option(help = "length: tokens of the best completion") Optional<Integer> targetLength,
    @Option(help = "json_schema: file of the schema; without it any JSON passes")
        Optional<Path> schema,
    @Option(help = "command: reads the completion on stdin; exit code 0 passes")
        Optional<String> command,
    @Option(value = "10", help = "command: seconds, after which it fails") int commandTimeout,
    @Option(value = "1024", help = "command: KiB that it may write into a file")
        int commandOutputKb,
    @Option(help = "scores: a row per prompt with a list scores", aliases = "scores")
        Optional<Path> scoresFile,
    @Option(help = "reward: folder of a model with a head score") Optional<Path> rewardModel,
    @Option(value = "best_worst", help = "how pairs are chosen") PairChoice choose,
    @Option(value = "0", help = "scores of a pair must differ by more than this") double margin,
    @Option(value = "false", help = "write each completion with a label, for KTO, not pairs")
        boolean unpaired,
    @Option(help = "unpaired: least score of label true (0.5 if scores are 0 or 1)")
        Optional<Double> threshold,
    @Option(value = "0", help = "commands at a time, or CPU threads; 0 uses all cores")
        int threads) {

  /** The table of all options of {@code pairs}. */
  public static final OptionTable<PairsConfig> OPTIONS = OptionTable.of(PairsConfig.class);

  private static final double HALF = 0.5;

  public PairsConfig {
    Map<String, Optional<?>> own = new LinkedHashMap<>();
    own.put("pattern", pattern);
    own.put("answer_column", answerColumn);
    own.put("prefer", prefer);
    own.put("target_length", targetLength);
    own.put("schema", schema);
    own.put("command", command);
    own.put("scores_file", scoresFile);
    own.put("reward_model", rewardModel);
    own.forEach(
        (option, value) -> {
          if (value.isPresent() && !judge.options().contains(option)) {
            throw new UsageException(
                OptionText.of(
                    "{" + option + "} has no effect with {judge} %s; remove one of them", judge));
          }
        });
    switch (judge) {
      case REGEX -> require(judge, "pattern", pattern);
      case EXACT -> require(judge, "answer_column", answerColumn);
      case COMMAND -> require(judge, "command", command);
      case SCORES -> require(judge, "scores_file", scoresFile);
      case REWARD -> require(judge, "reward_model", rewardModel);
      case LENGTH -> {
        if (prefer.isPresent() == targetLength.isPresent()) {
          throw new UsageException(
              OptionText.of("{judge} length needs {prefer} or {target_length}; pass one of them"));
        }
      }
      case JSON_SCHEMA -> {}
    }
    pattern.ifPresent(PairsConfig::compiled);
    targetLength.ifPresent(
        tokens -> OptionChecks.atLeast("target_length", tokens, 1, "it is a number of tokens"));
    OptionChecks.atLeast("command_timeout", commandTimeout, 1, "10 is usual");
    OptionChecks.atLeast("command_output_kb", commandOutputKb, 1, "1024 is usual");
    OptionChecks.notNegative("margin", margin, "0 asks for any difference");
    if (threshold.isPresent() && !unpaired) {
      throw new UsageException(
          OptionText.of("{threshold} has no effect without {unpaired}; pass it or remove it"));
    }
    if (unpaired && threshold.isEmpty() && !judge.passesOrFails()) {
      throw new UsageException(
          OptionText.of(
              "{unpaired} with {judge} %s needs {threshold}, the least score of a good completion",
              judge));
    }
    if (unpaired && (margin != 0 || choose != PairChoice.BEST_WORST)) {
      throw new UsageException(
          OptionText.of("{unpaired} makes no pairs; remove {margin} and {choose}"));
    }
    OptionChecks.threads(threads);
  }

  private static void require(JudgeType judge, String option, Optional<?> value) {
    if (value.isEmpty()) {
      throw new UsageException(OptionText.of("{judge} %s needs {" + option + "}", judge));
    }
  }

  private static Pattern compiled(String pattern) {
    try {
      return Pattern.compile(pattern);
    } catch (PatternSyntaxException e) {
      throw new UsageException(
          "pattern",
          "must be a regular expression of Java",
          "was %s: %s".formatted(pattern, e.getDescription()),
          "check its brackets",
          e);
    }
  }

  /** The least score of a completion with the label true. */
  public double leastGood() {
    return threshold.orElse(HALF);
  }

  /**
   * Opens the judge; the caller closes it.
   *
   * @param warnings receives what may be wrong with its files
   */
  public Judge openJudge(Consumer<String> warnings) {
    return switch (judge) {
      case REGEX -> Judge.regex(compiled(pattern.orElseThrow()), answerColumn);
      case EXACT -> Judge.exact(answerColumn.orElseThrow());
      case LENGTH ->
          prefer
              .map(length -> length == PreferredLength.SHORTER ? Judge.shorter() : Judge.longer())
              .orElseGet(() -> Judge.length(targetLength.orElseThrow()));
      case JSON_SCHEMA -> Judge.json(schema);
      case COMMAND ->
          Judge.command(
              command.orElseThrow(),
              new Judge.CommandLimits(commandTimeout, commandOutputKb),
              threads == 0 ? Runtime.getRuntime().availableProcessors() : threads);
      case SCORES -> Judge.scoreFile(scoresFile.orElseThrow());
      case REWARD -> Judge.reward(rewardModel.orElseThrow(), threads, warnings);
    };
  }

  /** Checks that all input files exist; throws UsageException naming the option. */
  public void checkInputs() {
    ReadableFile.require("completions_file", completionsFile);
    schema.ifPresent(path -> ReadableFile.require("schema", path));
    rewardModel.ifPresent(path -> InputPaths.requireModel("reward_model", path));
    scoresFile.ifPresent(path -> ReadableFile.require("scores_file", path));
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static PairsConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
