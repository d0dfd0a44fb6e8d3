package org.dpo4j.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.judge.Judge;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;
import org.dpo4j.options.ReadableFile;

/** How completions are scored. */
public record Judging(
    @Option(help = "regex, exact, length, json_schema, command, scores or reward")
        Optional<JudgeType> judge,
    @Option(help = "regex: regular expression to find in a completion") Optional<String> pattern,
    @Option(help = "exact, regex: column of right answers; regex compares group 1")
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
    @Option(help = "minimum score of a good completion (0.5 if scores are 0 or 1)")
        Optional<Double> threshold) {

  /** The values of the option {@code judge}: how completions are scored. */
  public enum JudgeType {
    REGEX,
    EXACT,
    LENGTH,
    JSON_SCHEMA,
    COMMAND,
    SCORES,
    REWARD;

    /** The options that belong to this judge alone, or to a few. */
    List<String> options() {
      return switch (this) {
        case REGEX -> List.of("pattern", "answer_column");
        case EXACT -> List.of("answer_column");
        case LENGTH -> List.of("prefer", "target_length");
        case JSON_SCHEMA -> List.of("schema");
        case COMMAND -> List.of("command");
        case SCORES -> List.of("scores_file");
        case REWARD -> List.of("reward_model");
      };
    }

    /** Whether the scores are 0 and 1. */
    boolean passesOrFails() {
      return this != LENGTH && this != SCORES && this != REWARD;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** No judge. */
  static final Judging NONE = OptionTable.of(Judging.class).build(Map.of());

  private static final double HALF = 0.5;

  public Judging {
    Map<String, Optional<?>> own = new LinkedHashMap<>();
    own.put("pattern", pattern);
    own.put("answer_column", answerColumn);
    own.put("prefer", prefer);
    own.put("target_length", targetLength);
    own.put("schema", schema);
    own.put("command", command);
    own.put("scores_file", scoresFile);
    own.put("reward_model", rewardModel);
    Set<String> given = new LinkedHashSet<>(own.keySet());
    given.removeIf(option -> own.getOrDefault(option, Optional.empty()).isEmpty());
    given.forEach(option -> requireUse(option, judge));
    if (threshold.isPresent() && judge.isEmpty()) {
      requireUse("threshold", judge);
    }
    judge.ifPresent(type -> requireOptions(type, given));
    pattern.ifPresent(Judging::compiled);
    targetLength.ifPresent(
        tokens -> OptionChecks.atLeast("target_length", tokens, 1, "it is a number of tokens"));
    OptionChecks.atLeast("command_timeout", commandTimeout, 1, "10 is usual");
    OptionChecks.atLeast("command_output_kb", commandOutputKb, 1, "1024 is usual");
  }

  private static void requireUse(String option, Optional<JudgeType> judge) {
    if (judge.stream().noneMatch(type -> type.options().contains(option))) {
      throw new UsageException(
          judge.isEmpty()
              ? OptionText.of("{%s} has no effect without {judge}; pass it or remove it", option)
              : OptionText.of(
                  "{%s} has no effect with {judge} %s; remove one of them", option, judge.get()));
    }
  }

  private static void requireOptions(JudgeType judge, Set<String> given) {
    switch (judge) {
      case LENGTH -> {
        if (given.contains("prefer") == given.contains("target_length")) {
          throw new UsageException(
              OptionText.of("{judge} length needs {prefer} or {target_length}; pass one of them"));
        }
      }
      case JSON_SCHEMA -> {}
      default -> {
        String needed = judge.options().get(0);
        if (!given.contains(needed)) {
          throw new UsageException(OptionText.of("{judge} %s needs {%s}", judge, needed));
        }
      }
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

  /** Scores that a file has. */
  static Judging scores(Path file, OptionalDouble leastGood) {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("judge", JudgeType.SCORES);
    options.put("scores_file", file);
    leastGood.ifPresent(score -> options.put("threshold", score));
    return OptionTable.of(Judging.class).build(options);
  }

  /** The least score of a good completion; empty if the options do not say. */
  public OptionalDouble leastGood() {
    return threshold
        .map(OptionalDouble::of)
        .orElseGet(
            () ->
                judge.filter(JudgeType::passesOrFails).isPresent()
                    ? OptionalDouble.of(HALF)
                    : OptionalDouble.empty());
  }

  /**
   * Opens the judge; the caller closes it.
   *
   * @param threads commands at a time, or threads of the CPU; 0 for all cores
   * @param warnings receives what may be wrong with its files
   */
  public Judge open(int threads, Consumer<String> warnings) {
    return switch (judge.orElseThrow()) {
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
  void checkInputs() {
    schema.ifPresent(path -> ReadableFile.require("schema", path));
    rewardModel.ifPresent(path -> InputPaths.requireModel("reward_model", path));
    scoresFile.ifPresent(path -> ReadableFile.require("scores_file", path));
  }

  /** Files and folders that the judge reads. */
  public List<Path> inputs() {
    List<Path> inputs = new ArrayList<>();
    schema.ifPresent(inputs::add);
    scoresFile.ifPresent(inputs::add);
    rewardModel.ifPresent(inputs::add);
    return inputs;
  }

  /** The values of the option {@code prefer}: which completions the judge of lengths prefers. */
  public enum PreferredLength {
    SHORTER,
    LONGER
  }
}
