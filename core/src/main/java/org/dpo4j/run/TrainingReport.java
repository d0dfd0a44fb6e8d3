package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dpo4j.Dpo4j;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.encode.EncodingCounts;
import org.dpo4j.encode.PairDataset;
import org.dpo4j.loss.FDivergence;
import org.dpo4j.report.ConsoleReport;
import org.dpo4j.report.CurvesPlot;
import org.dpo4j.report.ModelCard;
import org.dpo4j.report.Results;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunSummary;
import org.dpo4j.report.TrainerState;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.train.EvaluationReport;
import org.dpo4j.train.PairMetrics;
import org.dpo4j.train.StartCheck;
import org.dpo4j.train.StepReport;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingListener;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelWriter;
import org.dpo4j.weights.UnchangedWeights;

/** What a training run says and writes. */
final class TrainingReport implements TrainingListener {

  private final TrainingConfig config;
  private final Trainer.Settings settings;
  private final RunOutput output;
  private final ConsoleReport console;
  private final RunHistory history = new RunHistory();
  private final List<RunSummary.DataFile> files = new ArrayList<>();
  private boolean conversational;
  private double referenceSeconds;
  private double trainSeconds;
  private long pairsSeen;

  TrainingReport(TrainingConfig config, Trainer.Settings settings, RunOutput output) {
    this.config = config;
    this.settings = settings;
    this.output = output;
    this.console = new ConsoleReport(output.out());
  }

  void header(LoadedInputs inputs, PairDataset train, Optional<PairDataset> held) {
    conversational = inputs.tokenizer().template() != null;
    LoadedModel loaded = inputs.loaded();
    line(
        "model: %s (%s, %,d parameters, all trained; weights %s, computation float32)",
        config.model().model(),
        loaded.config().modelType(),
        inputs.model().parameters().count(),
        loaded.checkpoint().dtype().torchName());
    line("reference: " + reference());
    line("loss: " + loss());
    data("training", config.data().dataFile(), train);
    held.ifPresent(
        dataset -> data("held-out evaluation", config.data().evalFile().orElseThrow(), dataset));
    line(
        "steps: %d of %d pairs (%d x %d), %d in an epoch; learning rate %s, %s%s",
        settings.maxSteps(),
        (long) settings.plan().microBatchSize() * settings.plan().accumulation(),
        settings.plan().microBatchSize(),
        settings.plan().accumulation(),
        settings.plan().stepsPerEpoch(),
        OptionType.text(config.optimizer().learningRate()),
        OptionType.text(config.schedule().lrSchedulerType()),
        config.schedule().lrSchedulerType() == LrSchedulerType.CONSTANT
            ? ""
            : ", warm-up " + settings.schedule().warmupSteps() + " steps");
    line("threads: %d; seed: %d", Engine.threads(), config.engine().seed());
  }

  /** The loss, and what is set about it away from the defaults. */
  private String loss() {
    TrainingConfig.Loss loss = config.loss();
    List<String> words = new ArrayList<>(List.of(lossNames()));
    words.add("beta " + OptionType.text(loss.beta()));
    for (LossSettings.Setting setting : LossSettings.Setting.values()) {
      double value = setting.of(loss.settings());
      boolean shown = value != 0 && loss.lossType().stream().anyMatch(t -> t.takes(setting));
      if (shown) {
        words.add(setting.words() + " " + OptionType.text(value));
      }
    }
    if (loss.fDivergenceType() != FDivergence.Type.REVERSE_KL) {
      words.add("f-divergence " + OptionType.text(loss.fDivergenceType()));
    }
    if (loss.fDivergenceType() == FDivergence.Type.ALPHA_DIVERGENCE) {
      words.add("its alpha " + OptionType.text(loss.fAlphaDivergenceCoef()));
    }
    loss.ldAlpha().ifPresent(alpha -> words.add("ld_alpha " + OptionType.text(alpha)));
    if (loss.useWeighting()) {
      words.add("WPO weights");
    }
    return String.join(", ", words);
  }

  private String lossNames() {
    List<LossType> types = config.loss().lossType();
    return config
        .loss()
        .lossWeights()
        .map(
            weights ->
                IntStream.range(0, types.size())
                    .mapToObj(
                        i ->
                            OptionType.text(weights.get(i)) + " x " + OptionType.text(types.get(i)))
                    .collect(Collectors.joining(" + ")))
        .orElseGet(() -> types.stream().map(OptionType::text).collect(Collectors.joining(" + ")));
  }

  private String reference() {
    TrainingConfig.Loss loss = config.loss();
    if (loss.referenceChoice() == ReferenceChoice.NONE) {
      return "none; step-0 check skipped: there is nothing that the policy starts from";
    }
    String name =
        referenceModel("start: a " + (loss.syncRefModel() ? "" : "frozen ") + "copy of the model");
    if (loss.refModel().isPresent()) {
      return name + "; step-0 check skipped: it is not what training starts from";
    }
    return loss.objective().valueAtZero().isPresent()
        ? name
        : name + "; step-0 check skipped: the first loss depends on the pairs";
  }

  /** What the reference is, and how it moves where it does. */
  private String referenceModel(String start) {
    TrainingConfig.Loss loss = config.loss();
    String name =
        loss.refModel().map(path -> path + (loss.syncRefModel() ? "" : ", frozen")).orElse(start);
    return loss.syncRefModel()
        ? "%s, which goes %s of the way to the policy after every %d steps"
            .formatted(name, OptionType.text(loss.refModelMixupAlpha()), loss.refModelSyncSteps())
        : name;
  }

  private void data(String use, Path file, PairDataset dataset) {
    EncodingCounts counts = dataset.counts();
    line("%s: %s: %s", use, file, counts.summary());
    line("  rows: " + dataset.description());
    if (!dataset.ignoredColumns().isEmpty()) {
      line("  columns ignored: " + String.join(", ", dataset.ignoredColumns()));
    }
    Map<String, Long> dropped = new LinkedHashMap<>();
    counts.dropped().forEach((reason, tally) -> dropped.put(reason, (long) tally.rows()));
    counts.bad().forEach((reason, tally) -> dropped.put("bad row: " + reason, (long) tally.rows()));
    files.add(
        new RunSummary.DataFile(
            use, file.toString(), counts.kept() - counts.cut(), counts.cut(), dropped));
  }

  void referenceDone(double seconds) {
    referenceSeconds = seconds;
  }

  void trainingDone(double seconds) {
    trainSeconds = seconds;
    history.finish(results().train());
    console.print(results().train());
  }

  private Results results() {
    return new Results(history, settings.plan().pairs(), pairsSeen, trainSeconds, referenceSeconds);
  }

  @Override
  public void onStartCheck(StartCheck check) {
    line(
        "step-0 check %s: loss %.6f, theory %.6f; largest |log-ratio| %.0e of a log-probability",
        check.passed() ? "passed" : "failed",
        check.measured(),
        check.expected(),
        check.largestLogRatio());
  }

  @Override
  public void onStep(int step, int maxSteps, int pairs, PairMetrics metrics) {
    pairsSeen += pairs;
    output
        .progress()
        .update(
            "training",
            step,
            maxSteps,
            String.format(
                Locale.ROOT, "loss %.4f margin %+.3f", metrics.loss(), metrics.rewardsMargins()));
  }

  @Override
  public void onReport(StepReport report) {
    history.add(report);
    console.print(report);
  }

  @Override
  public void onEvaluation(EvaluationReport report) {
    history.add(report);
    console.print(report);
  }

  /** Writes all files of the output folder. */
  void write(OutputFolder folder, LoadedModel loaded) {
    ElementType type = config.output().saveDtype().elementType(loaded.checkpoint().dtype());
    warnOfRounding(loaded, type);
    new ModelWriter().write(folder.pending(), loaded, loaded.model(), type);
    folder.write("dpo4j.yaml", file -> writeResolved(file));
    folder.write("trainer_state.json", file -> state().write(file, history));
    folder.write("train_results.json", results()::writeTrain);
    if (history.lastEvaluation().isPresent()) {
      folder.write("eval_results.json", results()::writeEvaluation);
    }
    folder.write("all_results.json", results()::writeAll);
    folder.write(
        "curves.png", file -> CurvesPlot.write(file, folder.target().getFileName() + "", history));
    folder.write("README.md", file -> ModelCard.write(file, summary(folder.target())));
  }

  void published(Path folder) {
    line("written to " + folder);
  }

  /** With 16 bits, changes smaller than a rounding step are lost. */
  private void warnOfRounding(LoadedModel loaded, ElementType type) {
    if (type.bytes() >= ElementType.F32.bytes()) {
      return;
    }
    long unchanged = 0;
    long elements = 0;
    for (UnchangedWeights.Count count : UnchangedWeights.count(loaded, loaded.model(), type)) {
      unchanged += count.unchanged();
      elements += count.elements();
    }
    double share = (double) unchanged / elements;
    line(
        "saved as %s: rounding left %.1f %% of the weights as they were",
        type.torchName(), 100 * share);
    if (share > 0.5) {
      output
          .err()
          .println(
              String.format(
                  Locale.ROOT,
                  "warning: saving as %s keeps less than half of what was learned (%.1f %% of the"
                      + " weights are unchanged); pass --save_dtype float32 to keep all of it",
                  type.torchName(),
                  100 * share));
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

  private RunSummary summary(Path target) throws IOException {
    List<EvaluationReport> evaluations = history.evaluations();
    Map<String, String> shown = new LinkedHashMap<>();
    TrainingConfig.OPTIONS
        .write(config)
        .forEach((name, value) -> shown.put(name, OptionType.text(value)));
    return new RunSummary(
        String.valueOf(target.getFileName()),
        config.model().model().toString(),
        config.loss().referenceChoice() == ReferenceChoice.NONE
            ? "none"
            : referenceModel(
                config.loss().syncRefModel()
                    ? "a copy of that model"
                    : "a frozen copy of that model"),
        lossNames(),
        conversational,
        null,
        shown,
        files,
        evaluations.isEmpty() ? null : evaluations.get(0),
        evaluations.isEmpty() ? null : evaluations.get(evaluations.size() - 1),
        trainSeconds,
        versions());
  }

  private static Map<String, String> versions() throws IOException {
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("dpo4j", Dpo4j.version());
    versions.put("libtorch", Dpo4j.libtorchVersion());
    versions.put("Java", String.valueOf(System.getProperty("java.version")));
    return versions;
  }

  private void line(String format, Object... values) {
    output.out().println(String.format(Locale.ROOT, format, values));
  }
}
