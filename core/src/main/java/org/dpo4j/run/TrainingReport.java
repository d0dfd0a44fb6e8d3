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
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import org.dpo4j.Dpo4j;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.RowForm;
import org.dpo4j.encode.EncodingCounts;
import org.dpo4j.encode.PairDataset;
import org.dpo4j.reference.ReferenceFiles;
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
  private final RunWords words;
  private final ConsoleReport console;
  private final RunHistory history = new RunHistory();
  private final List<RunSummary.DataFile> files = new ArrayList<>();
  private boolean conversational;
  private String rowForm = "";
  private double referenceSeconds;
  private double trainSeconds;
  private long pairsSeen;
  private OptionalLong peakMemory = OptionalLong.empty();

  TrainingReport(TrainingConfig config, Trainer.Settings settings, RunOutput output) {
    this.config = config;
    this.settings = settings;
    this.output = output;
    this.words = new RunWords(config);
    this.console = new ConsoleReport(output.out());
  }

  void header(LoadedInputs inputs, TrainingPairs pairs, Optional<ReferenceFiles> reference) {
    boolean template = inputs.tokenizer().template() != null;
    rowForm = words(pairs.training().walk().forms());
    conversational = template && !isText(pairs.training().walk().forms());
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
    data("training", pairs.files(), pairs.training());
    pairs.heldOut().ifPresent(held -> heldOut(pairs, held));
    DataReport.warn(output, pairs, template);
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

  private static String words(Set<RowForm> forms) {
    return forms.stream().map(RowForm::toString).collect(Collectors.joining("; "));
  }

  /** Whether no row was a conversation, so that prompts are not to be put into the template. */
  private static boolean isText(Set<RowForm> forms) {
    return forms.stream().allMatch(f -> f == RowForm.TEXT || f == RowForm.TRANSCRIPTS);
  }

  private void data(String use, DataInput input, PairDataset dataset) {
    List<String> lines = DataReport.lines(input, dataset);
    line("%s: %s", use, lines.get(0));
    lines.subList(1, lines.size()).forEach(output.out()::println);
    EncodingCounts counts = dataset.counts();
    Map<String, Long> dropped = new LinkedHashMap<>();
    counts.dropped().forEach((reason, tally) -> dropped.put(reason, (long) tally.rows()));
    counts.bad().forEach((reason, tally) -> dropped.put("bad row: " + reason, (long) tally.rows()));
    dataset.unused().forEach((reason, pairs) -> dropped.put(reason, (long) pairs));
    file(use, input.paths(), dataset, dropped);
  }

  private void heldOut(TrainingPairs pairs, PairDataset held) {
    String use = "held-out evaluation";
    if (pairs.heldOutFiles().isPresent()) {
      data(use, pairs.heldOutFiles().get(), held);
      return;
    }
    String from =
        "%s of %s, seed %d"
            .formatted(
                OptionType.text(config.data().evalSplit().orElseThrow()),
                pairs.files().paths(),
                config.data().evalSplitSeed());
    line("%s: eval_split %s: %d pairs", use, from, held.pairs().size());
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
  }

  void trainingDone(double seconds) {
    trainSeconds = seconds;
    history.finish(results().train());
    console.print(results().train());
  }

  private Results results() {
    return new Results(
        history, settings.plan().pairs(), pairsSeen, trainSeconds, referenceSeconds, peakMemory);
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
  void write(OutputFolder folder, LoadedInputs inputs) {
    LoadedModel loaded = inputs.loaded();
    SaveDtype dtype = config.output().saveDtype();
    if (inputs.adapter().isPresent()) {
      ElementType type = dtype.elementType(ElementType.F32);
      inputs.adapter().get().write(folder.pending(), loaded, type);
    } else {
      ElementType type = dtype.elementType(loaded.checkpoint().dtype());
      warnOfRounding(loaded, type);
      new ModelWriter().write(folder.pending(), loaded, loaded.model(), type);
    }
    peakMemory = Engine.peakMemoryBytes();
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
    line("written to %s", folder);
    List<String> warnings = output.warnings();
    if (!warnings.isEmpty()) {
      // The first ones have scrolled away by now.
      output.err().println("warnings of this run:");
      warnings.forEach(warning -> output.err().println("  - " + warning));
    }
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
      output.warn(
          String.format(
              Locale.ROOT,
              "saving as %s keeps less than half of what was learned (%.1f %% of the"
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
        config.trainsAdapter(),
        words.referenceOfCard(),
        words.lossNames(),
        conversational,
        rowForm,
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
