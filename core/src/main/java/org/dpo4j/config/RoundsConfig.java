package org.dpo4j.config;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.Judging.JudgeType;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.MissingOptionsException;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionSpec;
import org.dpo4j.options.OptionTable;
import org.dpo4j.options.OptionType;
import org.dpo4j.options.ReadableFile;
import org.dpo4j.options.Suggestion;
import org.jspecify.annotations.Nullable;

/**
 * The configuration of {@code rounds}: prompts, how they are sampled and judged, and a training run
 * of each round.
 *
 * @param training the options of each training run; its data and output folder are placeholders
 *     ({@link #training(Optional, List, Path)})
 */
public record RoundsConfig(
    Rounds rounds, Sampling sampling, Judging judging, Choosing choosing, TrainingConfig training) {

  /** The table of all options: the four groups of its own and those of {@code train}. */
  public static final OptionTable<RoundsConfig> OPTIONS = OptionTable.of(RoundsConfig.class);

  /** Options of {@code train} and {@code pairs} that {@code rounds} sets itself. */
  public static final Set<String> UNUSED =
      Set.of(
          "scores_file",
          "data_file",
          "data_weights",
          "max_samples",
          "columns",
          "data_format",
          "resume_from_checkpoint",
          "overwrite_output_dir");

  private static final OptionTable<Own> OWN = OptionTable.of(Own.class);

  /** Options that a continued run may change: no answer and no weight depends on them. */
  private static final Set<String> MAY_CHANGE =
      Set.of(
          "rounds",
          "resume",
          "output_dir",
          "generation_batch_size",
          "threads",
          "device",
          "logging_steps",
          "log_format",
          "report_to",
          "run_name",
          "ledger",
          "sample_prompts",
          "ui",
          "save_steps",
          "save_total_limit",
          "save_only_model",
          "per_device_eval_batch_size",
          "reference_cache",
          "gradient_checkpointing");

  /** The options that {@code train} does not have. */
  public record Own(Rounds rounds, Sampling sampling, Judging judging, Choosing choosing) {}

  /** The options of {@code rounds} itself. */
  public record Rounds(
      @Option(help = "prompts: one per line, or rows with a column prompt", aliases = "prompts")
          Path promptsFile,
      @Option(help = "prompts to evaluate on (default: the training prompts)")
          Optional<Path> evalPromptsFile,
      @Option(value = "3", help = "times to sample, judge and train") int rounds,
      @Option(value = "1", help = "train on the pairs of the last N rounds (SPIN: 2)")
          int dataRounds,
      @Option(
              value = "false",
              help = "continue an interrupted run",
              aliases = "resume_from_checkpoint")
          boolean resume) {
    public Rounds {
      OptionChecks.atLeast("rounds", rounds, 1, "3 is usual");
      OptionChecks.atLeast("data_rounds", dataRounds, 1, "1 takes the rows of the round itself");
    }
  }

  public RoundsConfig {
    boolean ownCompletion = choosing.chosenColumn().isPresent();
    ExampleKind kind = training.loss().examples();
    if (judging.judge().isEmpty() && !ownCompletion) {
      throw new UsageException(
          OptionText.of("{judge} or {chosen_column} is required: one of them makes the pairs"));
    }
    if (kind == ExampleKind.DEMONSTRATIONS || (kind == ExampleKind.LABELED && ownCompletion)) {
      throw new UsageException(
          "loss_type",
          ownCompletion
              ? OptionText.of("must be a loss of pairs with {chosen_column}")
              : "must be a loss of pairs or of completions with a label",
          "was " + OptionType.text(training.loss().lossType()),
          "sigmoid is usual");
    }
    if (ownCompletion && training.loss().usesMargins()) {
      throw new UsageException(
          "loss_type",
          OptionText.of(
              "%s takes the offset of a pair from the scores of a judge",
              OptionType.text(training.loss().lossType())),
          OptionText.of("the pairs of {chosen_column} have no scores"),
          OptionText.of("pass {judge} in its place, or use {loss_type} sigmoid"));
    }
    if (kind == ExampleKind.LABELED) {
      PairsConfig.requireLabels(judging);
    }
    if (sampling.numReturnSequences() == 1 && kind == ExampleKind.PAIRS && !ownCompletion) {
      throw new UsageException(
          "num_return_sequences",
          "must be at least 2 to make pairs",
          "was 1",
          "4 is usual; more give more prompts with a better and a worse answer");
    }
  }

  /**
   * Builds a configuration from given values; TRL's names are translated as for {@code train}.
   *
   * @param file from a YAML file; may be empty
   * @param flags from the command line; they take precedence over the file
   * @param notices receives one line per option that is accepted but has no effect
   * @throws UsageException as {@link TrainingOptions#resolve} does
   */
  public static RoundsConfig resolve(
      Map<String, GivenValue> file, Map<String, GivenValue> flags, Consumer<String> notices) {
    Map<String, GivenValue> own = new LinkedHashMap<>();
    Map<String, GivenValue> trainingFile = new LinkedHashMap<>();
    Map<String, GivenValue> trainingFlags = new LinkedHashMap<>();
    split(file, own, trainingFile);
    split(flags, own, trainingFlags);
    requireKnown(trainingFile);
    requireKnown(trainingFlags);
    requireAll(own, trainingFile, trainingFlags);
    requireAnyCompletion(own.get("judge"));
    Own groups = OWN.read(own);
    trainingFlags.put("data_file", GivenValue.of(List.of(groups.rounds().promptsFile())));
    TrainingOptions options = TrainingOptions.resolve(trainingFile, trainingFlags);
    options.notices().forEach(notices);
    return new RoundsConfig(
        groups.rounds(), groups.sampling(), groups.judging(), groups.choosing(), options.config());
  }

  private static void split(
      Map<String, GivenValue> given, Map<String, GivenValue> own, Map<String, GivenValue> rest) {
    given.forEach(
        (name, value) -> {
          Optional<String> known = OWN.canonicalName(name);
          if (known.isPresent()) {
            own.put(known.get(), value);
          } else if (UNUSED.contains(TrainingConfig.OPTIONS.canonicalName(name).orElse(name))) {
            throw new UsageException(
                OptionText.of(
                    "%s{%s} is not an option of rounds, which makes its own data and folders;"
                        + " remove it",
                    value.origin(), name));
          } else {
            rest.put(name, value);
          }
        });
  }

  /** Names all unknown options at once, before one of them is missed under its right name. */
  private static void requireKnown(Map<String, GivenValue> options) {
    Set<String> ofTraining = TrainingOptions.names();
    Set<String> all = new LinkedHashSet<>(OWN.names());
    all.addAll(ofTraining);
    all.removeAll(UNUSED);
    List<String> unknown = new ArrayList<>();
    options.forEach(
        (name, value) -> {
          if (!ofTraining.contains(name)) {
            unknown.add(value.origin() + Suggestion.unknown(name, all));
          }
        });
    if (!unknown.isEmpty()) {
      throw new UsageException(String.join("\n", unknown));
    }
  }

  private static void requireAnyCompletion(@Nullable GivenValue judge) {
    if (judge != null && judge.text().equals(JudgeType.SCORES.toString())) {
      throw new UsageException(
          "judge",
          "must score any completion",
          "was scores, a file for completions that exist",
          "use another judge, command for example");
    }
  }

  /** Names all options that are missing at once. */
  private static void requireAll(
      Map<String, GivenValue> own, Map<String, GivenValue> file, Map<String, GivenValue> flags) {
    Set<String> given = new HashSet<>(own.keySet());
    for (Map<String, GivenValue> values : List.of(file, flags)) {
      values
          .keySet()
          .forEach(name -> given.add(TrainingConfig.OPTIONS.canonicalName(name).orElse(name)));
    }
    List<String> missing =
        OPTIONS.options().stream()
            .filter(OptionSpec::required)
            .map(OptionSpec::name)
            .filter(name -> !given.contains(name) && !UNUSED.contains(name))
            .toList();
    if (!missing.isEmpty()) {
      throw new MissingOptionsException(missing);
    }
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    ReadableFile.require("prompts_file", rounds.promptsFile());
    rounds.evalPromptsFile().ifPresent(path -> ReadableFile.require("eval_prompts_file", path));
    judging.checkInputs();
    training.checkFolders();
  }

  /** Files and folders that the run reads, by option. */
  public Map<String, Path> inputs() {
    Map<String, Path> inputs = new LinkedHashMap<>();
    inputs.put("model", training.model().model());
    inputs.put("prompts_file", rounds.promptsFile());
    rounds.evalPromptsFile().ifPresent(path -> inputs.put("eval_prompts_file", path));
    training.model().adapter().ifPresent(path -> inputs.put("adapter", path));
    training.loss().refModel().ifPresent(path -> inputs.put("ref_model", path));
    judging.schema().ifPresent(path -> inputs.put("schema", path));
    judging.rewardModel().ifPresent(path -> inputs.put("reward_model", path));
    return inputs;
  }

  /** The folder of the whole run. */
  public Path folder() {
    return training.output().outputDir();
  }

  /**
   * The configuration of sampling.
   *
   * @param round of the samples, from 1, each with its own random numbers; 0 for an evaluation, so
   *     that all models are evaluated with the same
   * @param start the model that answers: the weights of the last round, or none before the first
   */
  public SampleConfig sampling(int round, Optional<Path> start, Path prompts, Path output) {
    boolean adapter = training.trainsAdapter();
    return new SampleConfig(
        adapter ? training.model().model() : start.orElse(training.model().model()),
        adapter ? start.or(() -> training.model().adapter()) : Optional.empty(),
        prompts,
        output,
        training.template(),
        sampling,
        training.engine().seed() + round,
        true,
        training.engine().device(),
        training.engine().threads());
  }

  /**
   * The configuration of making a round's rows.
   *
   * @param scores file of the completions' scores
   */
  public PairsConfig pairs(Path completions, Path scores, Path output) {
    Judging scored =
        choosing.chosenColumn().isPresent()
            ? Judging.NONE
            : Judging.scores(scores, judging.leastGood());
    return new PairsConfig(
        completions,
        output,
        scored,
        choosing,
        training.loss().examples() == ExampleKind.LABELED,
        training.engine().threads());
  }

  /**
   * The configuration of a round's training run.
   *
   * @param start weights of the round before; empty in the first round
   * @param data files of rows
   * @param output folder of the trained weights
   */
  public TrainingConfig training(Optional<Path> start, List<Path> data, Path output) {
    Map<String, Object> options = new LinkedHashMap<>(TrainingConfig.OPTIONS.write(training));
    options.put("data_file", data);
    options.put("output_dir", output);
    if (Files.exists(output)) {
      options.put("resume_from_checkpoint", "true");
    }
    if (start.isPresent()) {
      options.put(training.trainsAdapter() ? "adapter" : "model", start.get());
      if (training.trainsAdapter()) {
        options.put("use_peft", false);
      }
    }
    return TrainingConfig.of(options);
  }

  /** The options as texts, to be saved with the run. */
  public Map<String, String> texts() {
    Map<String, String> texts = new LinkedHashMap<>();
    OPTIONS
        .write(this)
        .forEach(
            (name, value) -> {
              if (!UNUSED.contains(name)) {
                texts.put(name, String.valueOf(value));
              }
            });
    return texts;
  }

  /**
   * Compares the options with those of the run that is continued.
   *
   * @param saved as {@link #texts} gave them
   * @throws UsageException if an option differs that would make it another run
   */
  public void requireSame(Map<String, String> saved) {
    Map<String, String> now = texts();
    List<String> changed = new ArrayList<>();
    Set<String> names = new LinkedHashSet<>(now.keySet());
    names.addAll(saved.keySet());
    for (String name : names) {
      boolean same = Objects.equals(saved.get(name), now.get(name));
      if (!same && !MAY_CHANGE.contains(name)) {
        changed.add(
            OptionText.of(
                "{%s} was %s and is now %s",
                name, saved.getOrDefault(name, "not given"), now.getOrDefault(name, "not given")));
      }
    }
    if (!changed.isEmpty()) {
      throw new UsageException(
          "resume",
          "continues a run with the options that it had",
          String.join(", ", changed),
          OptionText.of("pass the old values, or name another {output_dir}"));
    }
  }

  /**
   * Checks that a run with this number of finished or started rounds can be continued.
   *
   * @throws UsageException if it has more rounds than configured
   */
  public void requireNoFewer(int begun) {
    OptionChecks.require(
        rounds.rounds() >= begun,
        "rounds",
        "at least %d, the rounds that the run has begun,".formatted(begun),
        rounds.rounds(),
        "raise it");
  }
}
