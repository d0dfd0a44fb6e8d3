package org.dpo4j.run;

import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.config.PlanConfig;
import org.dpo4j.config.ReferenceChoice;
import org.dpo4j.config.SaveDtype;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.EncodingResources;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.options.MemorySize;
import org.dpo4j.plan.AdapterShape;
import org.dpo4j.plan.MemoryModel;
import org.dpo4j.plan.StepArithmetic;
import org.dpo4j.plan.StepCost;
import org.dpo4j.plan.TokenLoad;
import org.dpo4j.plan.Trial;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.ModelBlueprint;

/** Predicts the resources of a training run before weights are read. */
public final class PlanRun {

  /** The part of a network's rate that a sum reaches. */
  private static final double NETWORK_USED = 0.9;

  private final PlanConfig config;
  private final TrainingConfig training;
  private final RunOutput output;
  private final PrintStream out;
  private final RunOutput console;
  private final DiskSpace disk;
  private final Checkpoint checkpoint;
  private final ModelBlueprint blueprint;
  private final ModelShape shape;
  private final Optional<LoraConfig> lora;
  private long biases; // trained beside the adapter
  private final Map<String, Object> figures = new LinkedHashMap<>();

  private PlanRun(PlanConfig config, RunOutput output, DiskSpace disk) {
    this.config = config;
    this.training = config.training();
    this.output = output;
    boolean figures = config.plan().output().filter(RowWriter::isStandardOutput).isPresent();
    this.console = output;
    this.out = figures ? output.err() : output.out();
    this.disk = disk;
    ModelBlueprint described = ModelBlueprint.read("model", training.model().model());
    this.lora = TrainedAdapter.config(training, described);
    this.checkpoint = described.checkpoint(); // headers alone
    this.blueprint = described.of(checkpoint);
    this.shape = blueprint.shape();
    biases = lora.map(a -> TrainedAdapter.check(training, a, blueprint, output)).orElse(0L);
  }

  /**
   * Prints the resources that the run will need.
   *
   * @throws UsageException if options contradict the inputs
   * @throws org.dpo4j.DpoException if an input cannot be used
   */
  public static void run(PlanConfig config, RunOutput output) {
    run(config, output, DiskSpace.OF_MACHINE);
  }

  /** As above with another disk, for tests. */
  static void run(PlanConfig config, RunOutput output, DiskSpace disk) {
    config.checkInputs();
    try (Engine.Threads threads = Engine.use(config.training().engine().threads())) {
      new PlanRun(config, output, disk).run();
    }
  }

  private void run() {
    ModelBundle.noteUnread(blueprint.config(), output);
    ComputingEngine.note(training, blueprint.untapedParts(), output);
    if (!training.engine().computeDevice().isCpu()) {
      output.warn("memory and time are those of the processor; a GPU's are not known here");
    }
    DataInput files = training.data().training();
    try (TrainingExamples pairs = pairs(files)) {
      plan(files, pairs);
    }
  }

  private void plan(DataInput files, TrainingExamples pairs) {
    List<EncodedExample> used = pairs.training().examples();
    TrainingConfig.Batching batching = training.batching();
    EpochPlan plan =
        plan(
            pairs.training().rows(),
            batching.perDeviceTrainBatchSize(),
            Math.multiplyExact(batching.gradientAccumulationSteps(), ranks()));
    int steps = training.steps(plan);
    MicroBatches batches =
        MicroBatches.of(pairs.training(), plan, steps, shape, need().separable());

    line(
        "model: %s (%s, %,d parameters, %d blocks; weights %s)%s",
        training.model().model(),
        blueprint.config().modelType(),
        shape.parameters(),
        shape.layers(),
        checkpoint.dtype().torchName(),
        adapter()
            .map(a -> String.format(Locale.ROOT, "; LoRA, %,d trained", a.parameters()))
            .orElse(""));
    List<String> lines = DatasetSummary.lines(files, pairs.training(), Set.of());
    line("training: %s", lines.get(0));
    lines.subList(1, lines.size()).forEach(text -> out.println(console.styled(text)));
    TokenLoad largest = batches.largest();
    TokenLoad mean = TokenLoad.of(used, shape);
    line(
        "tokens: %s feeds %.0f and predicts %.0f, on average; the largest micro-batch feeds %,d",
        (noun().equals("pair") ? "a " : "an ") + noun(),
        (double) mean.tokens() / used.size(),
        (double) mean.predictions() / used.size(),
        largest.tokens());
    if (training.loss().usesKl()) {
      line(
          "KL estimate: an example feeds %.0f more, on average, forward only",
          (double) TokenLoad.ofMismatched(used, shape).tokens() / used.size());
    }
    line(
        "steps: %d of %d %ss (%d x %d%s)",
        steps,
        ranks() * pairsOfRank(),
        noun(),
        plan.microBatchSize(),
        batching.gradientAccumulationSteps(),
        ranks() == 1 ? "" : " x %d ranks".formatted(ranks()));
    figures.put("parameters", shape.parameters());
    figures.put("steps", steps);
    figures.put("ranks", ranks());
    figures.put("largest_micro_batch_tokens", largest.tokens());
    long memory = config.plan().memory().map(MemorySize::parse).orElseGet(MemorySize::ofMachine);
    memory(pairs, largest, memory);
    disk(pairs, steps, plan.stepsPerEpoch());
    fits(pairs, memory);
    if (config.plan().trial()) {
      time(pairs, batches, plan, steps, memory);
    }
    config.plan().output().ifPresent(this::write);
  }

  private TrainingExamples pairs(DataInput files) {
    int maxLength = training.data().maxLength();
    ModelBundle.requirePositions(maxLength, blueprint.maxPositions());
    try (ModelTokenizer tokenizer =
        ModelBundle.tokenizer(
            training.model().model(), ProgramInputs.NONE.text(training), output)) {
      ExampleEncoder encoder =
          ExampleEncoder.of(
              tokenizer,
              new EncodingLimits(maxLength, blueprint.maxPositions(), shape.vocabSize()));
      TrainingExamples pairs =
          TrainingExamples.load(
              training,
              files,
              training.data().heldOut(),
              encoder,
              EncodingResources.ofMachine().folder());
      DatasetSummary.warn(output, pairs, tokenizer.template() != null);
      return pairs;
    }
  }

  private String noun() {
    return training.loss().examples().noun();
  }

  private Optional<AdapterShape> adapter() {
    return need().adapter();
  }

  private MemoryNeed need() {
    return new MemoryNeed(training, shape, lora, biases, storage(), checkpoint.dtype(), autograd());
  }

  private EpochPlan plan(int pairs, int microBatch, int accumulation) {
    return training.epochPlan(pairs, microBatch, accumulation);
  }

  private int ranks() {
    return config.plan().ranks();
  }

  /** How many pairs of a step a rank computes. */
  private long pairsOfRank() {
    return training.batching().examplesOfStep();
  }

  // --- memory

  private void memory(TrainingExamples pairs, TokenLoad largest, long memory) {
    Map<MemoryModel.Part, Long> parts = need().peak(pairs, largest);
    long total = MemoryModel.total(parts);
    line(
        "memory%s, at %s %s:",
        ranks() == 1 ? "" : " of each rank", autograd() ? "least" : "most", MemorySize.text(total));
    parts.forEach(
        (part, bytes) -> {
          if (bytes > 0) {
            line("  %-18s %10s", part.words(), MemorySize.text(bytes));
          }
        });
    if (autograd()) {
      line("  and more activations, which the autograd engine saves: they are not counted here");
    }
    figures.put("memory_bytes", total);
    if (total > memory) {
      line("  which is more than the %s that there are", MemorySize.text(memory));
    }
  }

  /** The disk space that the run needs, and whether it is available. */
  private void disk(TrainingExamples pairs, int steps, int stepsPerEpoch) {
    SaveDtype asked = training.output().saveDtype();
    ElementType own = lora.isPresent() ? ElementType.F32 : checkpoint.dtype();
    ElementType largest = Saving.largest(asked, asked.elementType(own));
    DiskNeed result =
        adapter()
            .map(shapes -> DiskNeed.of(checkpoint, shapes.parameters(), largest))
            .orElseGet(() -> DiskNeed.ofModel(checkpoint, largest));
    DiskNeed need =
        result.training(
            training,
            pairs,
            steps,
            stepsPerEpoch,
            adapter().map(AdapterShape::parameters).orElse(shape.parameters()));
    Path folder = training.output().outputDir();
    line("disk, at most %s in %s: %s", MemorySize.text(need.most()), folder, need.words());
    figures.put("disk_bytes", need.most());
    disk.usable(folder)
        .ifPresent(
            free -> {
              if (free < need.most()) {
                line("  which is more than the %s that are free there", MemorySize.text(free));
              }
            });
  }

  private WeightStorage storage() {
    return ComputingEngine.storage(training, blueprint);
  }

  /** The type of a frozen model's weights in the trial, which takes 16 bits for 8. */
  private ElementType frozen() {
    boolean narrow = checkpoint.dtype().bytes() < ElementType.F32.bytes();
    return narrow && storage() != WeightStorage.FP32 ? checkpoint.dtype() : ElementType.F32;
  }

  private boolean autograd() {
    return ComputingEngine.isAutograd(training, blueprint.untapedParts());
  }

  /** The largest micro-batch for which a step of the same pairs fits. */
  private void fits(TrainingExamples pairs, long memory) {
    int size = Math.toIntExact(Math.min(pairsOfRank(), pairs.training().rows()));
    int best =
        need()
            .largestMicroBatch(pairs, size, size, memory)
            .map(MemoryNeed.MicroBatch::examples)
            .orElse(0);
    figures.put("largest_micro_batch_that_fits", best);
    if (best == 0) {
      line(
          "micro-batch: none fits into %s; use fewer tokens ({max_length}), {use_peft}, a smaller"
              + " model, or more memory",
          MemorySize.text(memory));
    } else {
      line(
          "micro-batch: of %s of %d %ss up to %d fit into %s: {per_device_train_batch_size} %d"
              + " {gradient_accumulation_steps} %d",
          ranks() == 1 ? "steps" : "a rank's steps",
          size,
          noun(),
          best,
          MemorySize.text(memory),
          best,
          size / best);
    }
  }

  // --- time

  private void time(
      TrainingExamples pairs, MicroBatches batches, EpochPlan plan, int steps, long memory) {
    TrainingConfig.Optimizer optimizer = training.optimizer();
    Trial trial =
        new Trial(
            blueprint,
            lora,
            frozen(),
            training.loss().objective(),
            optimizer.settings(),
            optimizer.maxGradNorm(),
            training.engine().computation());
    MicroBatches.Batch typical = batches.typical();
    long needed =
        MemoryModel.total(
            need()
                .model(trial.largest().shape(), false)
                .peak(typical.pairs().size(), typical.largestPiece(), 0));
    if (needed > memory) {
      line(
          "time: not tried, since the trial alone needs %s; {memory} says how much there is",
          MemorySize.text(needed));
      return;
    }
    long started = System.nanoTime();
    StepCost sample = trial.run(typical.pairs());
    double trialSeconds = (System.nanoTime() - started) / 1e9;

    int all = pairs.training().examples().size();
    double perPair = arithmetic(pairs.training().examples()) / all;
    double pairsOfStep = (double) all / plan.stepsPerEpoch();
    StepCost step = sample.scaled(perPair * pairsOfStep / arithmetic(typical.pairs()));
    double compute = step.compute() / ranks();
    double sum = sumSeconds();
    double seconds = compute + sum + step.optimizer();
    if (training.loss().syncRefModel()) {
      seconds += step.forward() / ranks(); // the reference's, in the step
    }
    double forwardOfPair = step.forward() / pairsOfStep / ranks();
    double reference =
        training.loss().referenceChoice() == ReferenceChoice.NONE || training.loss().syncRefModel()
            ? 0
            : forwardOfPair * (all + pairs.heldOutSize());
    double evaluation = forwardOfPair * pairs.heldOutSize() * evaluations(plan, steps);
    double whole = reference + steps * seconds + evaluation;
    line(
        "time, after a trial of %.1f s on %d threads%s:",
        trialSeconds,
        Engine.threads(),
        ranks() == 1 ? "" : ", for %d machines like this one".formatted(ranks()));
    line(
        "  a step %.3g s (forward and backward %.3g%s, optimizer %.3g), %,.0f tokens/s, %.0f GFLOP/s",
        seconds,
        compute,
        ranks() == 1
            ? ""
            : String.format(
                Locale.ROOT,
                ", sum of gradients at %s Gbit/s at most %.3g",
                BigDecimal.valueOf(config.plan().network()).stripTrailingZeros().toPlainString(),
                sum),
        step.optimizer(),
        pairs.training().examples().stream().mapToLong(EncodedExample::tokens).sum()
            / (double) all
            * pairsOfStep
            / seconds,
        perPair * pairsOfStep / compute / 1e9);
    if (ranks() > 1) {
      double passes = seconds - sum - step.optimizer();
      double faster = (passes * ranks() + step.optimizer()) / seconds;
      line(
          "  %.3g times as fast as one process, %.0f%% of %d times",
          faster, 100 * faster / ranks(), ranks());
    }
    line(
        "  the run %s: reference %s, %s %s%s",
        duration(whole),
        duration(reference),
        ShortNumber.count(steps, "step"),
        duration(steps * seconds),
        evaluation > 0 ? ", evaluations " + duration(evaluation) : "");
    figures.put("step_seconds", seconds);
    figures.put("step_compute_seconds", compute);
    figures.put("step_sum_seconds", sum);
    figures.put("reference_seconds", reference);
    figures.put("evaluation_seconds", evaluation);
    figures.put("run_seconds", whole);
    figures.put("trial_seconds", trialSeconds);
  }

  /**
   * Seconds in which a ring sums the gradients of all ranks: each sends and receives 2 (n - 1) / n
   * times their bytes.
   */
  private double sumSeconds() {
    long trained = adapter().map(AdapterShape::parameters).orElse(shape.parameters());
    double bytes = 2.0 * (ranks() - 1) / ranks() * trained * ElementType.F32.bytes();
    return bytes * 8 / (config.plan().network() * 1e9 * NETWORK_USED);
  }

  /** Floating point operations of a step of these examples. */
  private double arithmetic(List<EncodedExample> examples) {
    StepArithmetic arithmetic = new StepArithmetic(shape, adapter());
    double trained = arithmetic.training(TokenLoad.of(examples, shape));
    return training.loss().usesKl()
        ? trained + arithmetic.forward(TokenLoad.ofMismatched(examples, shape))
        : trained;
  }

  /** One before the first step, one after the last, and those between. */
  private int evaluations(EpochPlan plan, int steps) {
    int between =
        switch (training.evaluation().evalStrategy()) {
          case NO -> 0;
          case EPOCH -> (steps - 1) / plan.stepsPerEpoch();
          case STEPS -> (steps - 1) / training.evalInterval().steps(steps);
        };
    return 2 + between;
  }

  private static String duration(double seconds) {
    if (seconds < 120) {
      return String.format(Locale.ROOT, "%.3g s", seconds);
    }
    long whole = Math.round(seconds);
    return whole < 7200
        ? "%d min %02d s".formatted(whole / 60, whole % 60)
        : "%d h %02d min".formatted(whole / 3600, whole % 3600 / 60);
  }

  private void write(Path target) {
    try (RowWriter writer = RowWriter.open(target, TrainingRun.inputs(training), output)) {
      writer.write(figures);
      writer.publish();
      writer.say(List.of());
    }
  }

  private void line(String format, Object... values) {
    out.println(console.styled(OptionText.of(format, values)));
  }
}
