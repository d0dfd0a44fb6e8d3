package org.dpo4j.run;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.EndReason;
import org.dpo4j.OptionText;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.LockedFolder;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.RoundsConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.PromptReader;
import org.dpo4j.data.Sha256;
import org.dpo4j.judge.AnswerFigures;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.RoundsReport;
import org.dpo4j.report.RoundsReport.TrainingFigures;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.RoundsJournal.Figures;
import org.dpo4j.run.RoundsJournal.Phase;

/**
 * Samples answers of the model, judges them, trains on the pairs, and starts again with the trained
 * model. Each phase writes one file or folder, and is recorded when it is complete; a run that was
 * interrupted continues with the first phase that is not.
 */
public final class RoundsRun {

  /** Trains a round's model. */
  @FunctionalInterface
  public interface Training {
    TrainingResult run(TrainingConfig config, RunOutput output);
  }

  private static final String SAMPLES = "samples.jsonl";
  private static final String SCORES = "scores.jsonl";
  private static final String ROWS = "pairs.jsonl";
  private static final String MODEL = "model";
  private static final String EVALUATION = "evaluation.jsonl";
  private static final String EVALUATION_SCORES = "evaluation-scores.jsonl";
  private static final String PICTURE = "rounds.png";

  /** What answers and training depend on, and not the model card. */
  private static final Pattern MODEL_FILES =
      Pattern.compile(".*\\.(safetensors|json|jinja|txt|model|tiktoken)");

  private final RoundsConfig config;
  private final RunOutput output;
  private final Prose prose;
  private final Cancellation cancellation;
  private final Training training;
  private final RoundsJournal journal;

  private RoundsRun(
      RoundsConfig config,
      RunOutput output,
      Cancellation cancellation,
      Training training,
      RoundsJournal journal) {
    this.config = config;
    this.output = output;
    this.prose = Prose.of(output, config.training().output().logFormat());
    this.cancellation = cancellation;
    this.training = training;
    this.journal = journal;
  }

  /**
   * Does all rounds that are not done.
   *
   * @param cancellation ends the rounds after a training run, if it is suspended
   * @param training trains a model, and may be suspended while it does
   * @return whether all is done; false if it was suspended
   * @throws UsageException if options contradict the inputs or the run that is continued
   * @throws DpoException if an input cannot be used, or nothing is left to learn from in the first
   *     round
   */
  public static boolean run(
      RoundsConfig config, RunOutput output, Cancellation cancellation, Training training) {
    RankRun.requireOne("rounds");
    config.checkInputs();
    Tracking.server(config.training(), System.getenv()); // else the first training run would fail
    try (LockedFolder folder =
        LockedFolder.open(config.folder(), List.copyOf(config.inputs().values()))) {
      return new RoundsRun(config, output, cancellation, training, journal(config, folder)).all();
    }
  }

  private static RoundsJournal journal(RoundsConfig config, LockedFolder folder) {
    Optional<RoundsJournal> found = RoundsJournal.read(folder.path());
    Map<String, String> identity = identity(config);
    if (found.isEmpty() || found.get().phases().isEmpty()) {
      if (found.isEmpty()) {
        requireEmpty(folder, config);
      }
      RoundsJournal journal = RoundsJournal.start(folder.path(), identity, config.texts());
      journal.write();
      return journal;
    }
    RoundsJournal journal = found.get();
    if (!config.rounds().resume()) {
      throw new UsageException(
          "output_dir",
          "must be new or empty",
          "%s holds a run of rounds".formatted(config.folder()),
          OptionText.of("pass {resume} true to continue that run, or name another folder"));
    }
    config.requireSame(journal.options());
    config.requireNoFewer(journal.phases().stream().mapToInt(Phase::round).max().orElse(0));
    identity.forEach(
        (name, hash) -> {
          if (!hash.equals(journal.identity().get(name))) {
            throw new UsageException(
                name,
                "must be what the run began with",
                "its content has changed",
                OptionText.of("restore it, or start again with another {output_dir}"));
          }
        });
    journal.phases().stream()
        .filter(phase -> !isObsoleteModel(folder.path(), phase, journal))
        .forEach(phase -> requireIntact(folder.path(), phase));
    return journal.withOptions(config.texts());
  }

  private static void requireEmpty(LockedFolder folder, RoundsConfig config) {
    try {
      if (!folder.isEmpty()) {
        throw new UsageException(
            "output_dir",
            "must be new or empty",
            "%s holds other files".formatted(config.folder()),
            "name another folder");
      }
    } catch (IOException e) {
      throw new DpoException(
          "[%s] cannot be read: %s".formatted(config.folder(), FileFailure.reason(e)), e);
    }
  }

  /** Hashes of what the run reads, by option. */
  private static Map<String, String> identity(RoundsConfig config) {
    Map<String, String> identity = new LinkedHashMap<>();
    config.inputs().forEach((option, path) -> identity.put(option, hash(path)));
    List<Path> heldOut =
        config.training().data().heldOut().stream()
            .flatMap(set -> DataInputs.files(set.input()).stream())
            .toList();
    if (!heldOut.isEmpty()) {
      identity.put("eval_file", hashes(heldOut));
    }
    return identity;
  }

  /** The SHA-256 of a file; of a model's folder, that of the list of its files with theirs. */
  private static String hash(Path path) {
    try {
      if (Files.isDirectory(path)) {
        try (Stream<Path> files = Files.list(path)) {
          return hashes(
              files
                  .filter(file -> MODEL_FILES.matcher(file.getFileName().toString()).matches())
                  .sorted()
                  .toList());
        }
      }
      return Sha256.of(path);
    } catch (IOException e) {
      throw new DpoException("[%s] cannot be read: %s".formatted(path, FileFailure.reason(e)), e);
    }
  }

  /** Whether a model was removed that no phase needs, since the model of the next round is done. */
  private static boolean isObsoleteModel(Path folder, Phase phase, RoundsJournal journal) {
    return phase.file().endsWith("/" + MODEL)
        && !Files.exists(folder.resolve(phase.file()))
        && journal.phases().stream()
            .anyMatch(later -> later.round() > phase.round() && later.file().endsWith("/" + MODEL));
  }

  private static String hashes(List<Path> files) {
    String list =
        files.stream()
            .map(file -> hash(file) + "  " + file.getFileName() + "\n")
            .collect(Collectors.joining());
    return Sha256.of(list.getBytes(StandardCharsets.UTF_8));
  }

  /** Refuses to build on a file that is not as its phase left it. */
  private static void requireIntact(Path folder, Phase phase) {
    Path path = folder.resolve(phase.file());
    if (!Files.exists(path) || !hash(path).equals(phase.sha256())) {
      throw new DpoException(
          "[%s] %s since its phase was done; restore it, or start again in another folder"
              .formatted(path, Files.exists(path) ? "has changed" : "has been removed"));
    }
  }

  private boolean all() {
    if (!journal.phases().isEmpty()) {
      prose.line("continues after %s", journal.phases().get(journal.phases().size() - 1).file());
    }
    requireColumns();
    Optional<Path> model = Optional.empty();
    evaluate(0, model);
    for (int round = 1; round <= config.rounds().rounds(); round++) {
      Path rows = rows(round, model);
      if (journal.rows(name(rows)) == 0) {
        return endWithoutRows(round, model);
      }
      Optional<Path> trained = train(round, model);
      report();
      if (trained.isEmpty() || cancellation.isSuspended()) {
        return false;
      }
      model = trained;
      evaluate(round, model);
    }
    end(model);
    return true;
  }

  /** Finds out before anything is sampled whether the rows have what judge and choice need. */
  private void requireColumns() {
    Optional<String> own = config.choosing().chosenColumn();
    Optional<String> answer = config.judging().answerColumn();
    Path prompts = config.rounds().promptsFile();
    own.ifPresent(column -> requireColumn(prompts, "chosen_column", column));
    answer.ifPresent(column -> requireColumn(prompts, "answer_column", column));
    config
        .rounds()
        .evalPromptsFile()
        .ifPresent(
            path -> answer.ifPresent(column -> requireColumn(path, "answer_column", column)));
  }

  private static void requireColumn(Path prompts, String option, String column) {
    for (PromptReader.Prompt prompt : PromptReader.read(prompts)) {
      if (prompt.columns().get(column) == null) {
        throw new DpoException(
            OptionText.of(
                "%s {%s} must name a column of every row of prompts, but this one has no \"%s\"; it has %s",
                prompt.origin(), option, column, prompt.columns().keySet()));
      }
    }
  }

  /** Samples, judges and chooses; gives the file of rows. */
  private Path rows(int round, Optional<Path> model) {
    Path samples =
        phase(
            round,
            SAMPLES,
            "sample answers",
            file -> sample(round, model, config.rounds().promptsFile(), file));
    Path scores = config.judging().judge().isPresent() ? score(round, samples, SCORES) : samples;
    return phase(
        round,
        ROWS,
        "choose pairs",
        file ->
            interruptible(
                () -> Figures.of(PairsRun.run(config.pairs(samples, scores, file), texts()))));
  }

  /** Says how to go on if the process is stopped meanwhile; sampling and training do so alone. */
  private Figures interruptible(Supplier<Figures> work) {
    try (InterruptedOutput interruption =
        InterruptedOutput.watch(
            output,
            () ->
                output.styled(
                    OptionText.of("to continue, repeat the command with {resume} true")))) {
      return work.get();
    }
  }

  private Figures sample(int round, Optional<Path> model, Path prompts, Path file) {
    SampleRun.run(config.sampling(round, model, prompts, file), texts());
    return Figures.NONE;
  }

  private Path score(int round, Path completions, String name) {
    boolean known = journal.phase(name(place(round, name))).isPresent();
    Path scores =
        phase(
            round,
            name,
            "judge",
            file ->
                interruptible(
                    () ->
                        Figures.of(
                            JudgingRun.run(
                                completions,
                                config.judging(),
                                config.training().engine().threads(),
                                file,
                                texts()))));
    if (!known) {
      report();
      table();
    }
    return scores;
  }

  /**
   * The output of a phase whose lines are for people, beside training's that may be for programs.
   */
  private RunOutput texts() {
    return prose.stream() == output.err() ? output.onErrorStream() : output.ofAnotherRun();
  }

  /** Trains; empty if that was suspended. */
  private Optional<Path> train(int round, Optional<Path> model) {
    Path target = place(round, MODEL);
    if (journal.phase(name(target)).isPresent()) {
      return Optional.of(target);
    }
    heading(round, "train");
    List<Path> data = new ArrayList<>();
    int first = Math.max(1, round - config.rounds().dataRounds() + 1);
    for (int i = first; i <= round; i++) {
      data.add(place(i, ROWS));
    }
    long start = System.nanoTime();
    TrainingResult result =
        training.run(
            config.training(model, data, target),
            output.naming("resume_from_checkpoint", "resume"));
    if (result.endReason() == EndReason.SUSPENDED || result.files().isEmpty()) {
      return Optional.empty();
    }
    add(round, target, start, Figures.of(TrainingFigures.of(result)));
    return Optional.of(target);
  }

  /**
   * Scores the model after a round, unless the samples of the next round do that: they are of the
   * same model and the same prompts.
   */
  private void evaluate(int round, Optional<Path> model) {
    Optional<Path> prompts = config.rounds().evalPromptsFile();
    boolean last = round == config.rounds().rounds();
    if (config.judging().judge().isPresent() && (last || prompts.isPresent())) {
      Path answers =
          phase(
              round,
              EVALUATION,
              "sample answers to evaluate",
              file -> sample(0, model, prompts.orElse(config.rounds().promptsFile()), file));
      score(round, answers, EVALUATION_SCORES);
    }
  }

  /** Does a phase that writes a file, unless it is done. */
  private Path phase(int round, String file, String what, Function<Path, Figures> work) {
    Path path = place(round, file);
    if (journal.phase(name(path)).isEmpty()) {
      heading(round, what);
      long start = System.nanoTime();
      add(round, path, start, work.apply(path));
    }
    return path;
  }

  private void add(int round, Path path, long start, Figures figures) {
    double seconds = (System.nanoTime() - start) / 1e9;
    journal.add(new Phase(round, name(path), hash(path), seconds, figures));
  }

  private void heading(int round, String what) {
    prose.line(
        "== %s: %s",
        round == 0 ? "start" : "round %d of %d".formatted(round, config.rounds().rounds()), what);
  }

  private Path place(int round, String file) {
    return config.folder().resolve(round == 0 ? "start" : "round-" + round).resolve(file);
  }

  /** The path in the folder of the run, with slashes on every system. */
  private String name(Path path) {
    return config.folder().relativize(path).toString().replace('\\', '/');
  }

  private boolean endWithoutRows(int round, Optional<Path> model) {
    String why = "the answers of round %d give nothing to train on".formatted(round);
    if (round == 1) {
      throw new DpoException(
          why
              + (config.choosing().chosenColumn().isPresent()
                  ? OptionText.of(": they equal the rows' own; raise {temperature}")
                  : OptionText.of(
                      "; sample more of each prompt ({num_return_sequences}), raise {temperature},"
                          + " or judge more finely (%s has the scores)",
                      place(round, SCORES)))
              + OptionText.of(", with another {output_dir}"));
    }
    prose.line("%s; the run ends with the model of round %d", why, round - 1);
    end(model);
    return true;
  }

  private void end(Optional<Path> model) {
    report(); // a process that died after the last scoring did not write it
    if (config.judging().judge().isEmpty()) {
      table(); // with a judge it follows each scoring
    }
    prose.line(
        "the model is in %s; %s shows all rounds",
        model.orElseThrow(), config.folder().resolve("report.md"));
  }

  private void table() {
    new RoundsReport(figures()).lines().forEach(prose::print);
  }

  private void report() {
    RoundsReport report = new RoundsReport(figures());
    try {
      report.writePage(config.folder().resolve("report.md"), description(), PICTURE);
      report.picture().writePng(config.folder().resolve(PICTURE));
    } catch (IOException e) {
      output.warn(
          "the report could not be written: %s; the run goes on".formatted(FileFailure.reason(e)));
    }
  }

  private List<String> description() {
    List<String> lines = new ArrayList<>();
    lines.add(
        "%d answers of each prompt of %s, sampled at temperature %s."
            .formatted(
                config.sampling().numReturnSequences(),
                config.rounds().promptsFile().getFileName(),
                OptionType.shortest(config.sampling().temperature())));
    lines.add(
        config
            .choosing()
            .chosenColumn()
            .map("Each pair prefers the completion of the column %s to a sampled one."::formatted)
            .orElseGet(
                () ->
                    "Answers are judged by %s, and rows chosen by %s."
                        .formatted(
                            config.judging().judge().orElseThrow(),
                            OptionType.text(config.choosing().choose()))));
    lines.add("Loss: %s.".formatted(new RunDescriptions(config.training()).loss()));
    return lines;
  }

  /** What is known of each round. */
  private List<RoundsReport.RoundFigures> figures() {
    List<RoundsReport.RoundFigures> figures = new ArrayList<>();
    for (int round = 0; round <= config.rounds().rounds(); round++) {
      int number = round;
      Optional<Phase> model = journal.phase(name(place(round, MODEL)));
      if (round > 0 && model.isEmpty()) {
        break;
      }
      int rows = 0;
      for (int i = Math.max(1, round - config.rounds().dataRounds() + 1); i <= round; i++) {
        rows += journal.rows(name(place(i, ROWS)));
      }
      AnswerFigures answers =
          journal
              .phase(name(place(round, EVALUATION_SCORES)))
              .or(() -> journal.phase(name(place(number + 1, SCORES))))
              .map(phase -> phase.figures().answers())
              .orElse(null);
      figures.add(
          new RoundsReport.RoundFigures(
              round,
              rows,
              model.map(phase -> phase.figures().training()).orElse(null),
              answers,
              journal.phases().stream()
                  .filter(phase -> phase.round() == number)
                  .mapToDouble(Phase::seconds)
                  .sum()));
    }
    return figures;
  }
}
