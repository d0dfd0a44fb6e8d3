package org.dpo4j.run;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import org.dpo4j.Dpo4j;
import org.dpo4j.DpoException;
import org.dpo4j.EvaluationReport;
import org.dpo4j.OptionText;
import org.dpo4j.StartCheck;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.EvalStrategy;
import org.dpo4j.config.ReferenceChoice;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.RowForm;
import org.dpo4j.encode.EncodingCounts;
import org.dpo4j.encode.PairDataset;
import org.dpo4j.options.OptionSpec;
import org.dpo4j.options.OptionType;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.report.Conclusion;
import org.dpo4j.report.ConsoleReport;
import org.dpo4j.report.CurvesPlot;
import org.dpo4j.report.EarlyAccuracy;
import org.dpo4j.report.LogFormat;
import org.dpo4j.report.ModelCard;
import org.dpo4j.report.Picture;
import org.dpo4j.report.Results;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.RunSummary;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.report.TimeText;
import org.dpo4j.report.TrainerState;
import org.dpo4j.torch.Engine;
import org.dpo4j.train.Trainer;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelWriter;
import org.dpo4j.weights.Sha256;
import org.jspecify.annotations.Nullable;

/** What a training run says and writes. */
final class TrainingReport implements TrainingListener {
  private static final int FEWEST_POINTS = 4;
  private static final int SUMMARY_WIDTH = 98;

  /** Options that a card does not show: they change nothing about the model. */
  private static final Set<String> NO_NUMBERS =
      Set.of("threads", "overwrite_output_dir", "logging_steps", "log_format", "sample_prompts");

  private final TrainingConfig config;
  private final Trainer.Settings settings;
  private final RunOutput output;
  private final RunDescriptions words;
  private final PrintStream prose;
  private final ConsoleReport console;
  private final EarlyAccuracy early = new EarlyAccuracy();
  private final RunHistory history = new RunHistory();
  private final List<RunSummary.DataFile> files = new ArrayList<>();
  private final Map<String, String> dataHashes = new LinkedHashMap<>();
  private boolean conversational;
  private String rowForm = "";
  private List<String> earlyWarnings = List.of();
  private double referenceSeconds;
  private double trainSeconds;
  private long firstStepStarted;
  private OptionalDouble startLoss = OptionalDouble.empty();
  private final boolean checksStart;
  private Optional<EvaluationReport> waiting = Optional.empty();
  private long pairsSeen;
  private OptionalLong peakMemory = OptionalLong.empty();

  TrainingReport(TrainingConfig config, Trainer.Settings settings, RunOutput output) {
    this.config = config;
    this.settings = settings;
    this.output = output;
    this.words = new RunDescriptions(config);
    LogFormat format = config.output().logFormat();
    this.checksStart =
        settings.startsAtReference() && config.loss().objective().valueAtZero().isPresent();
    // JSON lines go to programs, which must find nothing else on standard output.
    this.prose = format == LogFormat.JSON ? output.err() : output.out();
    this.console = new ConsoleReport(output.out(), format, settings.maxSteps());
  }

  void header(
      ModelBundle inputs, TrainingPairs pairs, Optional<ReferenceFiles> reference, Saving saving) {
    boolean template = inputs.tokenizer().template() != null;
    rowForm = words(pairs.training().readSummary().forms());
    conversational = template && !isText(pairs.training().readSummary().forms());
    LoadedModel loaded = inputs.loaded();
    line(
        "model: %s (%s, %,d parameters, %s; weights %s, computation %s)",
        config.model().model(),
        loaded.config().modelType(),
        inputs.model().parameters().count(),
        inputs.adapter().isPresent() ? "frozen" : "all trained",
        loaded.checkpoint().dtype().torchName(),
        words.computation());
    inputs.adapter().ifPresent(adapter -> line("adapter: %s", words.adapter(adapter.model())));
    line("reference: %s", words.reference(reference));
    line("loss: %s", words.loss());
    data("training", pairs.files(), pairs.training(), Set.of());
    pairs.heldOut().ifPresent(held -> heldOut(pairs, held));
    DatasetSummary.warn(output, pairs, template);
    steps();
    line("will be saved as %s", saving.plan());
    line("threads: %d; seed: %d", Engine.threads(), config.engine().seed());
    noteFewPoints();
  }

  private void steps() {
    line(
        "%s of %s%s; %s one epoch; learning rate %s, %s",
        steps(settings.maxSteps()),
        ShortNumber.count(pairsOfStep(), "pair"),
        settings.plan().accumulation() == 1
            ? ""
            : " (%d x %d)"
                .formatted(settings.plan().microBatchSize(), settings.plan().accumulation()),
        steps(settings.plan().stepsPerEpoch())
            + (settings.plan().stepsPerEpoch() == 1 ? " is" : " are"),
        OptionType.text(config.optimizer().learningRate()),
        schedule());
  }

  private static String steps(int number) {
    return ShortNumber.count(number, "step");
  }

  private long pairsOfStep() {
    return (long) settings.plan().microBatchSize() * settings.plan().accumulation();
  }

  private String schedule() {
    int warmup = settings.schedule().warmupSteps();
    return OptionType.text(config.schedule().lrSchedulerType())
        + (warmup == 0 ? "" : " after " + ShortNumber.count(warmup, "warm-up step"));
  }

  /** TRL's default of 10 leaves a short run without a curve. */
  private void noteFewPoints() {
    int points = (settings.maxSteps() - 1) / settings.loggingSteps() + 1;
    if (points < FEWEST_POINTS && settings.loggingSteps() > 1 && settings.maxSteps() > 1) {
      output.note(
          OptionText.of(
              "%s with a log line every %d give %s, too few for a curve; pass {logging_steps} 1",
              steps(settings.maxSteps()),
              settings.loggingSteps(),
              ShortNumber.count(points, "point")));
    }
  }

  private static String words(Set<RowForm> forms) {
    return forms.stream().map(RowForm::toString).collect(Collectors.joining("; "));
  }

  /** Whether no row was a conversation, so that prompts are not to be put into the template. */
  private static boolean isText(Set<RowForm> forms) {
    return forms.stream().allMatch(f -> f == RowForm.TEXT || f == RowForm.TRANSCRIPTS);
  }

  private void data(String use, DataInput input, PairDataset dataset, Set<String> told) {
    List<String> lines = DatasetSummary.lines(input, dataset, told);
    line("%s: %s", use, lines.get(0));
    lines.subList(1, lines.size()).forEach(text -> prose.println(output.styled(text)));
    EncodingCounts counts = dataset.counts();
    Map<String, Long> dropped = new LinkedHashMap<>();
    counts
        .dropped()
        .forEach((reason, tally) -> dropped.put(output.styled(reason), (long) tally.rows()));
    counts
        .bad()
        .forEach(
            (reason, tally) ->
                dropped.put("bad row: " + output.styled(reason), (long) tally.rows()));
    dataset.unused().forEach((reason, pairs) -> dropped.put(reason, (long) pairs));
    file(use, input.paths(), dataset, dropped);
    DataInputs.files(input).forEach(this::hash);
  }

  private void hash(Path file) {
    if (!Files.isRegularFile(file)) {
      return; // a pipe is empty by now
    }
    try {
      dataHashes.put(file.toString(), Sha256.of(file));
    } catch (IOException e) {
      throw new DpoException("[%s] cannot be read: %s".formatted(file, FileFailure.reason(e)), e);
    }
  }

  private void heldOut(TrainingPairs pairs, PairDataset held) {
    String use = "held-out evaluation";
    if (pairs.heldOutFiles().isPresent()) {
      data(use, pairs.heldOutFiles().get(), held, pairs.training().counts().notes().keySet());
      return;
    }
    String from =
        "%s of %s, seed %d"
            .formatted(
                OptionType.text(config.data().evalSplit().orElseThrow()),
                pairs.files().paths(),
                config.data().evalSplitSeed());
    line("%s: eval_split %s: %s", use, from, ShortNumber.count(held.pairs().size(), "pair"));
    file(use, from, held, Map.of());
  }

  private void file(String use, String name, PairDataset dataset, Map<String, Long> dropped) {
    int cut = dataset.cut();
    files.add(new RunSummary.DataFile(use, name, dataset.pairs().size() - cut, cut, dropped));
  }

  void referenceCache(String words) {
    line("reference cache: %s", words);
  }

  void referenceDone(double seconds) {
    referenceSeconds = seconds;
    earlyWarnings = output.warnings();
    stepsBegin(); // where there is an evaluation first, they begin after it
  }

  private void stepsBegin() {
    firstStepStarted = System.nanoTime();
    output.progress().update("training", 0, settings.maxSteps(), "");
  }

  void trainingDone(double seconds) {
    trainSeconds = seconds;
    history.finish(results().train());
    console.finish(results().train(), settings.maxSteps());
    conclude();
  }

  /** What the run did, in sentences. */
  private void conclude() {
    Conclusion conclusion = conclusion();
    line("done: %s in %s", steps(settings.maxSteps()), TimeText.of(trainSeconds));
    conclusion.summary().forEach(this::wrapped);
    conclusion.warnings().forEach(output::warn);
    early.warning().ifPresent(output::warn);
  }

  private Conclusion conclusion() {
    boolean relative = settings.startsAtReference() && !config.loss().syncRefModel();
    return new Conclusion(
        history,
        startLoss,
        relative ? OptionalDouble.of(config.loss().beta()) : OptionalDouble.empty(),
        config.optimizer().learningRate(),
        config.loss().referenceChoice() != ReferenceChoice.NONE);
  }

  private Results results() {
    return new Results(
        history, settings.plan().pairs(), pairsSeen, trainSeconds, referenceSeconds, peakMemory);
  }

  @Override
  public void onStartCheck(StartCheck check) {
    startLoss = OptionalDouble.of(check.expected());
    line(
        "start check %s: initial loss %.4f (expected %.4f)",
        check.passed() ? "passed" : "failed", check.measured(), check.expected());
    waiting.ifPresent(console::print);
    waiting = Optional.empty();
  }

  @Override
  public void onStep(StepReport step, TrainingControl control) {
    pairsSeen += step.pairs();
    // From another start, pairs can be ranked right before anything was learned.
    if (settings.startsAtReference() && pairsSeen <= settings.plan().pairs()) {
      early.add(step.pairs(), step.metrics());
    }
    output
        .progress()
        .update(
            "training",
            step.step(),
            step.maxSteps(),
            "loss %s margin %s"
                .formatted(
                    ShortNumber.fixed("%.4f", step.metrics().loss()),
                    ShortNumber.fixed("%+.3f", step.metrics().rewardsMargins())));
  }

  @Override
  public void onReport(StepReport report, TrainingControl control) {
    history.add(report);
    double perStep = (System.nanoTime() - firstStepStarted) / 1e9 / report.step();
    console.print(report, perStep * (report.maxSteps() - report.step()));
  }

  @Override
  public void onEvaluation(EvaluationReport report, TrainingControl control) {
    history.add(report);
    if (report.step() == 0) {
      stepsBegin();
    }
    if (report.step() == 0 && checksStart) {
      waiting = Optional.of(report); // so that the line of the check is not inside the table
    } else {
      console.print(report);
    }
  }

  /** Writes all files of the output folder. */
  void write(
      OutputFolder folder, ModelBundle inputs, Saving saving, List<RunSummary.Sample> samples) {
    line("saved as %s", saving.words());
    LoadedModel loaded = inputs.loaded();
    if (inputs.adapter().isPresent()) {
      inputs.adapter().get().write(folder.pending(), loaded, saving.type());
    } else {
      new ModelWriter().write(folder.pending(), loaded, loaded.model(), saving.type());
    }
    peakMemory = Engine.peakMemoryBytes();
    folder.write("dpo4j.yaml", file -> writeResolved(file));
    folder.write("trainer_state.json", file -> state().write(file, history));
    folder.write("train_results.json", results()::writeTrain);
    if (history.lastEvaluation().isPresent()) {
      folder.write("eval_results.json", results()::writeEvaluation);
    }
    folder.write("all_results.json", results()::writeAll);
    Picture curves = curves(folder.target());
    folder.write("curves.png", curves::writePng);
    folder.write("curves.svg", curves::writeSvg);
    folder.write(
        "README.md",
        file -> ModelCard.write(file, summary(folder.target(), inputs, saving, samples)));
  }

  private Picture curves(Path target) {
    return CurvesPlot.draw(
        "%s: %s tuned with %s"
            .formatted(target.getFileName(), name(config.model().model()), words.loss()),
        "%s, %s of %d, learning rate %s %s%s, %s"
            .formatted(
                ShortNumber.count(settings.plan().pairs(), "pair"),
                steps(settings.maxSteps()),
                pairsOfStep(),
                OptionType.text(config.optimizer().learningRate()),
                schedule(),
                config.trainsAdapter() ? ", LoRA" : "",
                LocalDate.now(ZoneId.systemDefault())),
        history,
        settings.plan().stepsPerEpoch());
  }

  private static String name(Path path) {
    return String.valueOf(path.toAbsolutePath().normalize().getFileName());
  }

  void published() {
    Path folder = config.output().outputDir();
    line("written to %s", folder);
    line(
        "  the model card %s has the results%s",
        folder.resolve("README.md"),
        config.output().samplePrompts() > 0 ? " and sample answers" : "");
    line(
        "  to try it: ./dpo4j generate --model %s --prompt \"...\"",
        config.trainsAdapter()
            ? "%s --adapter %s".formatted(config.model().model(), folder)
            : folder);
    if (!earlyWarnings.isEmpty()) {
      // They have scrolled away by now; the later ones stand a few lines above.
      output.err().println("earlier warnings of this run:");
      earlyWarnings.forEach(warning -> output.err().println("  - " + warning));
    }
  }

  private void writeResolved(Path file) throws IOException {
    Files.writeString(
        file,
        YamlOptions.write(
            TrainingConfig.OPTIONS,
            // A repetition must not replace what it repeats unless it says so itself.
            config.with("overwrite_output_dir", false)));
  }

  private TrainerState state() {
    Integer evalSteps =
        config.evaluation().evalStrategy() == EvalStrategy.STEPS
            ? config.evalInterval().steps(settings.maxSteps())
            : null;
    return new TrainerState(
        settings.maxSteps(),
        (double) settings.maxSteps() / settings.plan().stepsPerEpoch(),
        settings.plan().microBatchSize(),
        settings.loggingSteps(),
        evalSteps);
  }

  private RunSummary summary(
      Path target, ModelBundle inputs, Saving saving, List<RunSummary.Sample> samples)
      throws IOException {
    List<EvaluationReport> evaluations = history.evaluations();
    return new RunSummary(
        String.valueOf(target.getFileName()),
        config.model().model().toString(),
        config.trainsAdapter(),
        words.referenceOfCard(),
        words.lossNames(),
        conversational,
        rowForm,
        null,
        settingsOfCard(),
        files,
        evaluations.isEmpty() ? null : evaluations.get(0),
        evaluations.isEmpty() ? null : evaluations.get(evaluations.size() - 1),
        trainSeconds,
        versions(),
        new RunSummary.Origin(
            Lineage.of(config.model().model()),
            inputs.loaded().checkpoint().sha256(),
            dataHashes,
            saving.words()),
        new RunSummary.Account(
            fromHere(config.output().outputDir()).orElse("."),
            fromHere(config.model().model()).orElse(name(config.model().model())),
            "%s of %s with the loss %s, learning rate %s %s.%s"
                .formatted(
                    steps(settings.maxSteps()),
                    ShortNumber.count(pairsOfStep(), "pair"),
                    words.loss(),
                    OptionType.text(config.optimizer().learningRate()),
                    schedule(),
                    inputs
                        .adapter()
                        .map(adapter -> " " + words.adapter(adapter.model()) + ".")
                        .orElse("")),
            conclusion().summary(),
            output.warnings(),
            samples));
  }

  /** A path that says nothing of somebody's machine; empty for one that does. */
  private static Optional<String> fromHere(Path path) {
    Path plain = path.normalize();
    return plain.isAbsolute() || plain.startsWith("..") || plain.toString().isEmpty()
        ? Optional.empty()
        : Optional.of(plain.toString());
  }

  /** What differs from the defaults, without paths and without what changes no number. */
  private Map<String, String> settingsOfCard() {
    Map<String, Object> defaults =
        TrainingConfig.OPTIONS.write(
            TrainingConfig.of(Map.of("model", "m", "data_file", "d", "output_dir", "o")));
    Map<String, Object> values = TrainingConfig.OPTIONS.write(config);
    Map<String, String> shown = new LinkedHashMap<>();
    for (OptionSpec option : TrainingConfig.OPTIONS.options()) {
      @Nullable Object value = values.get(option.name());
      if (value != null
          && !option.label().startsWith("PATH")
          && !NO_NUMBERS.contains(option.name())
          && !value.equals(defaults.get(option.name()))) {
        shown.put(option.name(), OptionType.text(value));
      }
    }
    return shown;
  }

  private static Map<String, String> versions() throws IOException {
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("dpo4j", Dpo4j.version());
    versions.put("libtorch", Dpo4j.libtorchVersion());
    versions.put("Java", String.valueOf(System.getProperty("java.version")));
    return versions;
  }

  /** A sentence of the summary, indented. */
  private void wrapped(String sentence) {
    StringBuilder row = new StringBuilder("  ");
    for (String word : sentence.split(" ", -1)) {
      if (row.length() + word.length() > SUMMARY_WIDTH) {
        prose.println(row.toString().stripTrailing());
        row = new StringBuilder("    ");
      }
      row.append(word).append(' ');
    }
    prose.println(row.toString().stripTrailing());
  }

  private void line(String format, Object... values) {
    prose.println(output.styled(OptionText.of(format, values)));
  }
}
