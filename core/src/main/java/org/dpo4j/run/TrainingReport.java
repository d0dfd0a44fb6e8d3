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
import org.dpo4j.Dpo4j;
import org.dpo4j.DpoException;
import org.dpo4j.checkpoint.FileTrees;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.data.DataInput;
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
import org.dpo4j.torch.Engine;
import org.dpo4j.train.EvaluationReport;
import org.dpo4j.train.PairMetrics;
import org.dpo4j.train.StartCheck;
import org.dpo4j.train.StepReport;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingListener;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelWriter;
import org.dpo4j.weights.Sha256;

/** What a training run says and writes. */
final class TrainingReport implements TrainingListener {

  private final TrainingConfig config;
  private final Trainer.Settings settings;
  private final RunOutput output;
  private final RunWords words;
  private final ConsoleReport console;
  private final RunHistory history = new RunHistory();
  private final List<RunSummary.DataFile> files = new ArrayList<>();
  private final Map<String, String> dataHashes = new LinkedHashMap<>();
  private boolean conversational;
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

  void header(
      LoadedInputs inputs, TrainingPairs pairs, Optional<ReferenceFiles> reference, Saving saving) {
    conversational = inputs.tokenizer().template() != null;
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
    line("saved as: %s", saving.plan());
    line("threads: %d; seed: %d", Engine.threads(), config.engine().seed());
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
    DataInputs.files(input).forEach(this::hash);
  }

  private void hash(Path file) {
    if (!Files.isRegularFile(file)) {
      return; // a pipe is empty by now
    }
    try {
      dataHashes.put(file.toString(), Sha256.of(file));
    } catch (IOException e) {
      throw new DpoException("[%s] cannot be read: %s".formatted(file, FileTrees.reason(e)), e);
    }
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
  void write(OutputFolder folder, LoadedInputs inputs, Saving saving) {
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
    folder.write(
        "curves.png", file -> CurvesPlot.write(file, folder.target().getFileName() + "", history));
    folder.write(
        "README.md", file -> ModelCard.write(file, summary(folder.target(), inputs, saving)));
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

  private RunSummary summary(Path target, LoadedInputs inputs, Saving saving) throws IOException {
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
        null,
        shown,
        files,
        evaluations.isEmpty() ? null : evaluations.get(0),
        evaluations.isEmpty() ? null : evaluations.get(evaluations.size() - 1),
        trainSeconds,
        versions(),
        new RunSummary.Origin(
            Lineage.of(config.model().model()),
            inputs.loaded().checkpoint().sha256(),
            dataHashes,
            saving.words()));
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
