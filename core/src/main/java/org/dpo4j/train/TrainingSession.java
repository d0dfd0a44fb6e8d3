package org.dpo4j.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.SkippedStep;
import org.dpo4j.StartCheck;
import org.dpo4j.StepReport;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.loss.Objective;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Parameters;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.optim.Optimizer;
import org.dpo4j.ranks.Ranks;
import org.dpo4j.reference.ScoredExample;
import org.dpo4j.torch.DropoutSeed;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The state of a training run, and the arithmetic of its steps. The state is: trained weights,
 * their gradients, the optimizer's moments, the weights of a moving reference, the position in the
 * data, counters, and metric sums. {@link #snapshot} copies all of it; {@link #restore} continues
 * from a copy with the same bytes.
 *
 * <p>The position is the number of steps and of micro-batches in the step. The order of the
 * examples, the learning rate and the dropout masks are functions of the position and of the
 * settings, so no random generator is part of the state.
 *
 * <p>For one thread at a time. A {@link Trainer} advances the session.
 */
public final class TrainingSession implements AutoCloseable {

  /** Saved tensors of a {@link TrainingSession}, named as in {@link TrainingSnapshot}. */
  public interface StateSource {

    /** Names of the tensors. */
    Set<String> names();

    /**
     * Copies the elements of a tensor.
     *
     * @param target of the same shape; changed in place
     */
    void copyTo(String name, Tensor target);
  }

  private final CausalLm policy;
  private final TrainingData data;
  private final Objective objective;
  private final Trainer.Settings settings;
  private final Ranks ranks;

  private @Nullable Trained trained;
  private @Nullable Step current;
  private @Nullable List<List<int[]>> order; // of the examples in orderedEpoch, a function of it
  private int orderedEpoch;
  private int step;
  private int skippedSteps;
  private int microBatch;
  private long examplesSeen;
  private long numTokens;
  private double gradNorm; // of the last step that was not skipped
  private MetricSums ofStep = MetricSums.NONE;
  private MetricSums sinceReport = MetricSums.NONE;
  private StepClock clock = new StepClock();
  private final List<ExampleNumbers> pairsOfStep = new ArrayList<>();
  private @Nullable StepFigures figures; // of this rank's examples of the step, for the others
  private @Nullable GradientSums gradientSums; // null in a process that trains alone

  /** The trained weights and their optimizer. */
  private record Trained(FlatParameters parameters, Optimizer optimizer) {}

  /**
   * The examples of a step.
   *
   * @param microBatches of all ranks
   * @param share of this rank
   * @param unit largest weight of an example
   * @param weight sum of the examples' weights, in units
   */
  private record Step(
      List<List<ScoredExample>> microBatches, StepShare share, double unit, double weight) {

    static Step of(Objective objective, List<List<ScoredExample>> microBatches, StepShare share) {
      List<ScoredExample> examples = microBatches.stream().flatMap(List::stream).toList();
      // In 64 bits, before weights become 32 bits: only their ratios matter, whatever their size.
      double unit = TrainingData.largestWeight(objective, examples);
      double weight =
          examples.stream()
              .mapToDouble(scored -> TrainingData.weight(objective, scored.example()) / unit)
              .sum();
      return new Step(microBatches, share, unit, weight);
    }
  }

  /**
   * A session before its first step. Allocates nothing yet, so that an evaluation before training
   * does not hold gradients and moments in memory.
   *
   * @param policy the model to train; its weights change in place
   * @param data examples and their reference
   */
  public TrainingSession(
      CausalLm policy, TrainingData data, Objective objective, Trainer.Settings settings) {
    this(policy, data, objective, settings, Ranks.alone());
  }

  /**
   * As above, for one of several ranks. All have the same model, data, objective and settings, and
   * call the same methods; the plan's steps are those of all ranks together.
   *
   * @param ranks not closed
   */
  public TrainingSession(
      CausalLm policy,
      TrainingData data,
      Objective objective,
      Trainer.Settings settings,
      Ranks ranks) {
    this.ranks = ranks;
    this.policy = policy;
    this.data = data;
    this.objective = objective;
    this.settings = settings;
  }

  Ranks ranks() {
    return ranks;
  }

  CausalLm policy() {
    return policy;
  }

  Objective objective() {
    return objective;
  }

  Trainer.Settings settings() {
    return settings;
  }

  /** Steps done, skipped ones included. */
  public int step() {
    return step;
  }

  /** Steps that were skipped because a number was not finite. */
  public int skippedSteps() {
    return skippedSteps;
  }

  /** Micro-batches of the next step that are done. */
  public int microBatch() {
    return microBatch;
  }

  /** Passes over the data after the last complete step, as a fraction. */
  public double epoch() {
    if (step == 0) {
      return 0;
    }
    EpochPlan plan = settings.plan();
    int before = (step - 1) / plan.stepsPerEpoch();
    long microBatches = (stepInEpoch(step - 1) + 1L) * plan.accumulation();
    return before
        + (double) Math.min(microBatches, plan.microBatchesPerEpoch())
            / plan.microBatchesPerEpoch();
  }

  /** Examples trained on, each counted as often as it was used. */
  public long examplesSeen() {
    return examplesSeen;
  }

  /** Token ids trained on, after truncation; a prompt counts once for each completion. */
  public long numTokens() {
    return numTokens;
  }

  /** Whether the last complete step ended an epoch. */
  boolean epochEnded() {
    return step % settings.plan().stepsPerEpoch() == 0;
  }

  private int stepInEpoch(int number) {
    return number % settings.plan().stepsPerEpoch();
  }

  private Trained trained() {
    if (trained == null) {
      FlatParameters parameters = FlatParameters.of(policy.trained());
      trained = new Trained(parameters, settings.optimizer().create(parameters));
      gradientSums = ranks.several() ? new GradientSums(parameters, ranks) : null;
    }
    return trained;
  }

  /** The step in progress; its examples are read once. */
  private Step current() {
    if (current == null) {
      List<List<ScoredExample>> step = indices().stream().map(data::rows).toList();
      current = Step.of(objective, step, share(step));
      if (ranks.several()) {
        figures = new StepFigures(examples(step).size());
      }
    }
    return current;
  }

  private static List<ScoredExample> examples(List<List<ScoredExample>> step) {
    return step.stream().flatMap(List::stream).toList();
  }

  private StepShare share(List<List<ScoredExample>> step) {
    // The masks of dropout depend on the micro-batch and on the place in it.
    return ranks.several()
            && separable()
            && !policy.hasDropout()
            && data.packs() == null // a micro-batch is some packs there, of many examples
        ? StepShare.balanced(
            examples(step),
            settings.plan().microBatchSize(),
            this::cost,
            ranks.rank(),
            ranks.size())
        : StepShare.roundRobin(step, ranks.rank(), ranks.size());
  }

  /** Multiplications of a forward pass without those of attention, about. */
  private double cost(ScoredExample scored) {
    EncodedExample example = scored.example().trained();
    double head = policy.head().weight().values().numel();
    double blocks = Math.max(0, policy.parameters().count() - head);
    long completions =
        example.completions().stream().mapToLong(completion -> completion.ids().length).sum();
    return (example.promptIds().length + completions) * blocks + example.scoredTokens() * head;
  }

  private boolean separable() {
    return objective.loss().separable() && policy.routerLoss() == null;
  }

  /** The micro-batches of the step in progress, as indices of examples. */
  private List<int[]> indices() {
    int wanted = step / settings.plan().stepsPerEpoch();
    if (order == null || orderedEpoch != wanted) { // shuffling once per epoch, not per step
      order = settings.plan().steps(wanted);
      orderedEpoch = wanted;
    }
    return order.get(stepInEpoch(step));
  }

  /**
   * Adds the gradients of the next micro-batch.
   *
   * @param startCheck called once in a run, before the first backward pass, if theory gives the
   *     loss
   */
  void accumulate(Consumer<StartCheck> startCheck) {
    trained(); // gradients must exist before the forward pass
    StepShare.Part part = current().share().microBatches().get(microBatch);
    List<ScoredExample> all = part.examples();
    clock.start();
    if (figures == null) {
      count(all);
    }
    int[] teaching = TrainingData.teachingPlaces(objective, all);
    List<ScoredExample> batch = IntStream.of(teaching).mapToObj(all::get).toList();
    ofStep = ofStep.plus(MetricSums.ofNothing(all.size() - batch.size()));
    int taught = 0;
    if (figures != null) {
      for (int place : part.places()) {
        figures.set(place, MetricSums.ofNothing(1), 0);
      }
    }
    double kl = kl(batch);
    List<List<ScoredExample>> pieces = pieces(batch);
    for (int piece = 0; piece < pieces.size(); piece++) {
      List<ScoredExample> examples = pieces.get(piece);
      try (MicroBatch computed = forward(examples, kl, part.number(), piece)) {
        boolean first = step == 0 && ofStep.examples() == 0;
        ofStep = ofStep.plus(computed.metrics());
        if (first && ofStep.finite()) {
          checkStart(startCheck);
        }
        // Divided by the weight of the step, so that the micro-batches add up to its mean.
        computed.backward(current().weight(), blockDone(piece == pieces.size() - 1));
        if (figures == null) {
          addPairs(examples, computed);
        } else {
          double[] pulls = pulls(computed);
          for (int i = 0; i < pulls.length; i++) {
            figures.set(part.places()[teaching[taught + i]], computed.metrics().get(i), pulls[i]);
          }
        }
        taught += examples.size();
      }
    }
    microBatch++;
    clock.computed();
  }

  /** What the backward pass tells about complete gradients; those of the last one are sums. */
  private IntConsumer blockDone(boolean lastPiece) {
    boolean last = lastPiece && microBatch == current().share().microBatches().size() - 1;
    return last && gradientSums != null ? gradientSums::blockDone : block -> {};
  }

  private void addPairs(List<ScoredExample> examples, MicroBatch computed) {
    if (objective.loss().examples() != ExampleKind.PAIRS) {
      return;
    }
    double[] pulls = pulls(computed);
    for (int i = 0; i < pulls.length; i++) {
      pairsOfStep.add(
          ExampleNumbers.of(
              examples.get(i).example().origin(), computed.metrics().get(i), pulls[i]));
    }
  }

  /** As in {@link ExampleNumbers}; 0 for examples that are no pairs. */
  private double[] pulls(MicroBatch computed) {
    if (objective.loss().examples() != ExampleKind.PAIRS) {
      return new double[computed.metrics().size()];
    }
    double[] pulls = computed.byChosen(current().weight());
    for (int i = 0; i < pulls.length; i++) {
      pulls[i] = -pulls[i] / objective.loss().beta();
    }
    return pulls;
  }

  /** Adds up gradients and numbers over all ranks. */
  private void combine(StepFigures own) {
    List<ScoredExample> examples = examples(current().microBatches());
    Objects.requireNonNull(gradientSums).finish();
    own.exchange(ranks);
    ofStep = own.addTo(MetricSums.NONE);
    pairsOfStep.addAll(own.pairs(examples, objective.loss().examples()));
    count(examples);
  }

  private void count(List<ScoredExample> examples) {
    examplesSeen += examples.size();
    numTokens += examples.stream().mapToLong(scored -> scored.example().tokens()).sum();
  }

  /**
   * Gives the state of rank 0 to all ranks: before the first step, and after a restore, which rank
   * 0 alone does.
   */
  public void shareState() {
    if (!ranks.several()) {
      return;
    }
    double[] sums = sinceReport.toArray();
    double[] numbers =
        ranks.ofFirst(
            DoubleStream.concat(
                    DoubleStream.of(
                        step, skippedSteps, (double) examplesSeen, (double) numTokens, gradNorm),
                    DoubleStream.of(sums))
                .toArray());
    step = (int) numbers[0];
    skippedSteps = (int) numbers[1];
    examplesSeen = (long) numbers[2];
    numTokens = (long) numbers[3];
    gradNorm = numbers[4];
    sinceReport = MetricSums.of(numbers, 5);
    tensors().values().forEach(ranks::copyFirst);
    trained().optimizer().continueAfter(step - skippedSteps);
    policy.weightsChanged();
    if (data.reference() != null) {
      data.reference().weightsChanged();
    }
    current = null;
  }

  /** Gives the trained weights of rank 0 to all ranks. */
  public void shareWeights() {
    ranks.copyFirst(trained().parameters().values());
    policy.weightsChanged();
  }

  /**
   * Checks that all ranks have the same weights.
   *
   * @throws DpoException if they do not
   */
  void requireSameWeights() {
    if (!ranks.several()) {
      return;
    }
    double[] checksums = new double[ranks.size()];
    checksums[ranks.rank()] = trained().parameters().checksum();
    double[] all = ranks.sum(checksums);
    for (int rank = 1; rank < all.length; rank++) {
      if (all[rank] != all[0]) {
        throw new DpoException(
            OptionText.of(
                "after step %d all ranks must have the same weights but those of rank %d differ from those of rank 0; run all ranks with the same version on processors of one kind, and continue from the last checkpoint with {resume_from_checkpoint} true",
                step, rank));
      }
    }
  }

  /** The pairs of the last step that was not skipped; none for other examples. */
  List<ExampleNumbers> takePairs() {
    List<ExampleNumbers> pairs = List.copyOf(pairsOfStep);
    pairsOfStep.clear();
    return pairs;
  }

  private double kl(List<ScoredExample> microBatch) {
    return KlEstimate.of(
        settings.computation().engine(), policy, objective, data.reference(), microBatch);
  }

  private MicroBatch forward(List<ScoredExample> examples, double kl, int ofMicroBatch, int piece) {
    return MicroBatch.forward(
        settings.computation().engine(),
        policy,
        objective,
        data.reference(),
        examples,
        current().unit(),
        kl,
        settings.computation().purpose(),
        OptionalLong.of(DropoutSeed.of(settings.plan().seed(), step, ofMicroBatch, piece)));
  }

  /** Cuts a micro-batch of many tokens into pieces if that changes no number. */
  private List<List<ScoredExample>> pieces(List<ScoredExample> examples) {
    if (examples.isEmpty()) {
      return List.of();
    }
    return separable()
        ? TokenBudget.TRAINING.pieces(examples, scored -> scored.example().trained())
        : List.of(examples);
  }

  private void checkStart(Consumer<StartCheck> listener) {
    OptionalDouble expected = objective.valueAtZero();
    if (settings.startsAtReference() && expected.isPresent() && policy.routerLoss() == null) {
      listener.accept(
          new StartCheck(
              expected.getAsDouble(),
              ofStep.means(objective.loss().examples()).loss(),
              ofStep.largestReward() / objective.loss().beta(),
              settings.computation().bf16()));
    }
  }

  /** Whether all micro-batches of the step are in the gradients. */
  boolean accumulated() {
    return microBatch == current().share().microBatches().size();
  }

  /**
   * Updates the weights with the accumulated gradients, which completes the step. A step whose
   * loss, log-probabilities or gradient are not finite is skipped if the settings allow it: it
   * counts as done, and weights and moments stay unchanged.
   *
   * @param onSkip called if the step was skipped
   * @return measurements of the step; null if it was skipped
   * @throws NonFiniteStepException if a number is not finite and the step may not be skipped; the
   *     weights are unchanged
   */
  @Nullable StepReport update(Consumer<SkippedStep> onSkip) {
    clock.start();
    if (figures != null) {
      combine(figures);
    }
    double norm = trained().parameters().gradientNorm();
    if (!ofStep.finite() || !Double.isFinite(norm)) {
      onSkip.accept(skip(norm));
      return null;
    }
    gradNorm = norm;
    double learningRate = settings.schedule().at(step);
    trained().optimizer().step(learningRate, FlatParameters.clip(gradNorm, settings.maxGradNorm()));
    policy.weightsChanged();
    clock.updated();
    completeStep();
    StepReport report =
        new StepReport(
            step,
            settings.maxSteps(),
            epoch(),
            ofStep.examples(),
            ofStep.means(objective.loss().examples()),
            gradNorm,
            learningRate,
            numTokens,
            clock.stepSeconds(),
            clock.computeSeconds());
    sinceReport = sinceReport.plus(ofStep);
    ofStep = MetricSums.NONE;
    return report;
  }

  private void completeStep() {
    step++;
    microBatch = 0;
    current = null;
    if (data.reference() != null) {
      data.reference().afterStep(step, policy);
    }
  }

  private SkippedStep skip(double norm) {
    NonFiniteStep found = nonFinite(norm);
    if (!trained().parameters().finite()) {
      throw new NonFiniteStepException(
          found.description()
              + OptionText.of("; the weights themselves are not finite. Lower {learning_rate}"),
          found);
    }
    if (skippedSteps == settings.skipLimit() || skippedSteps + 1 == settings.maxSteps()) {
      throw new NonFiniteStepException(
          found.description()
              + "; the weights were not changed by this step. "
              + whyNotSkipped()
              + found.advice(),
          found);
    }
    clock.updated();
    skippedSteps++;
    completeStep();
    ofStep = MetricSums.NONE;
    pairsOfStep.clear();
    return new SkippedStep(
        step,
        settings.maxSteps(),
        found.rows(),
        found.loss(),
        norm,
        skippedSteps,
        settings.skipLimit());
  }

  private String whyNotSkipped() {
    if (settings.skipLimit() == 0) {
      return "";
    }
    return skippedSteps == settings.skipLimit()
        ? OptionText.of(
            "%d of %d allowed by {on_nan_limit} were skipped before. ",
            skippedSteps, settings.skipLimit())
        : "No step of the run could be taken. ";
  }

  /** Computes the step in progress again, to find the examples; sets the gradients to zero. */
  private NonFiniteStep nonFinite(double norm) {
    List<NonFiniteStep.BadExample> bad = new ArrayList<>();
    List<List<ScoredExample>> microBatches = current().microBatches();
    for (int i = 0; i < microBatches.size(); i++) {
      List<ScoredExample> batch = TrainingData.teaching(objective, microBatches.get(i));
      double kl = kl(batch);
      List<List<ScoredExample>> pieces = pieces(batch);
      for (int piece = 0; piece < pieces.size(); piece++) {
        bad.addAll(badExamples(pieces.get(piece), kl, i, piece));
      }
    }
    trained().parameters().zeroGradients();
    return new NonFiniteStep(
        step + 1,
        ofStep.means(objective.loss().examples()).loss(),
        norm,
        microBatches.stream().flatMap(List::stream).map(ScoredExample::example).toList(),
        bad);
  }

  /**
   * Examples are computed one by one too, since a NaN of one can reach its neighbors in a batch.
   */
  private List<NonFiniteStep.BadExample> badExamples(
      List<ScoredExample> examples, double kl, int ofMicroBatch, int piece) {
    List<NonFiniteStep.BadExample> together = badTogether(examples, kl, ofMicroBatch, piece);
    if (together.isEmpty() || examples.size() == 1 || !objective.loss().separable()) {
      return together;
    }
    List<NonFiniteStep.BadExample> alone = new ArrayList<>();
    for (ScoredExample example : examples) {
      alone.addAll(badTogether(List.of(example), kl, ofMicroBatch, piece));
    }
    return alone.isEmpty() ? together : alone;
  }

  private List<NonFiniteStep.BadExample> badTogether(
      List<ScoredExample> examples, double kl, int ofMicroBatch, int piece) {
    trained().parameters().zeroGradients();
    try (MicroBatch computed = forward(examples, kl, ofMicroBatch, piece)) {
      List<MetricSums> metrics = computed.metrics();
      boolean finite = metrics.stream().allMatch(MetricSums::finite);
      double norm = Double.NaN;
      if (finite) {
        computed.backward(current().weight(), block -> {});
        norm = trained().parameters().gradientNorm();
      }
      List<NonFiniteStep.BadExample> bad = new ArrayList<>();
      for (int i = 0; i < examples.size(); i++) {
        MetricSums numbers = metrics.get(i);
        if (!numbers.finite() || (finite && !Double.isFinite(norm))) {
          bad.add(
              new NonFiniteStep.BadExample(
                  examples.get(i).example(),
                  numbers.means(objective.loss().examples()).loss(),
                  numbers.logpsChosen(),
                  numbers.logpsRejected(),
                  norm));
        }
      }
      return bad;
    }
  }

  /** Whether there are steps that no report covers. */
  boolean reportPending() {
    return sinceReport.examples() > 0;
  }

  /** The report of all steps since the last one; begins the next. */
  StepReport takeReport() {
    requireSameWeights();
    StepReport report =
        new StepReport(
            step,
            settings.maxSteps(),
            epoch(),
            sinceReport.examples(),
            sinceReport.means(objective.loss().examples()),
            gradNorm,
            settings.schedule().at(step - 1),
            numTokens,
            clock.meanStepSeconds(),
            clock.meanComputeSeconds());
    sinceReport = MetricSums.NONE;
    clock = new StepClock();
    return report;
  }

  /** Position, counters and metric sums. */
  public TrainingSnapshot.Numbers numbers() {
    return new TrainingSnapshot.Numbers(
        settings.plan().seed(),
        step,
        skippedSteps,
        microBatch,
        examplesSeen,
        numTokens,
        gradNorm,
        ofStep,
        sinceReport);
  }

  /** Name and shape of each trained parameter, in the order of the flat tensors. */
  public List<String> layout() {
    return trained().parameters().layout();
  }

  /**
   * The tensors of the state by name, as {@link TrainingSnapshot} lists them. They are those of the
   * session, not copies: do not change them, and do not use them after the next step.
   */
  public Map<String, Tensor> tensors() {
    Trained weights = trained();
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put(TrainingSnapshot.WEIGHTS, weights.parameters().values());
    weights
        .optimizer()
        .state()
        .forEach((name, tensor) -> tensors.put(TrainingSnapshot.OPTIMIZER + name, tensor));
    if (microBatch > 0) {
      tensors.put(TrainingSnapshot.GRADIENTS, weights.parameters().gradients());
    }
    for (Parameters.Parameter parameter : movingWeights()) {
      tensors.put(TrainingSnapshot.REFERENCE + parameter.name(), parameter.tensor());
    }
    return tensors;
  }

  /** Copies the state. */
  public TrainingSnapshot snapshot() {
    Map<String, Tensor> copies = new LinkedHashMap<>();
    tensors().forEach((name, tensor) -> copies.put(name, Tensors.copyOf(tensor)));
    return new TrainingSnapshot(numbers(), layout(), copies);
  }

  /**
   * Continues from a snapshot of a session with the same model, examples, objective and settings.
   *
   * @param snapshot copied; may be closed afterwards
   * @throws IllegalArgumentException as {@link #restore(TrainingSnapshot.Numbers, List,
   *     StateSource)}
   */
  public void restore(TrainingSnapshot snapshot) {
    restore(snapshot.numbers(), snapshot.layout(), snapshot);
  }

  /**
   * Continues from a saved state of a session with the same model, examples, objective and
   * settings. Times in the next report cover only the steps after this call.
   *
   * @param layout as {@link #layout}
   * @param source provides the tensors
   * @throws IllegalArgumentException if the state has another seed, other trained parameters or
   *     another kind of reference
   */
  public void restore(TrainingSnapshot.Numbers numbers, List<String> layout, StateSource source) {
    Trained weights = trained();
    requireSame("seed", numbers.seed(), settings.plan().seed());
    requireSame("trained parameters", layout, layout());
    List<String> expected = new ArrayList<>();
    movingWeights()
        .forEach(parameter -> expected.add(TrainingSnapshot.REFERENCE + parameter.name()));
    requireSame(
        "weights of a moving reference",
        source.names().stream()
            .filter(name -> name.startsWith(TrainingSnapshot.REFERENCE))
            .collect(Collectors.toSet()),
        Set.copyOf(expected));

    if (numbers.microBatch() == 0) {
      weights.parameters().zeroGradients();
    }
    step = numbers.step();
    skippedSteps = numbers.skippedSteps();
    microBatch = numbers.microBatch();
    tensors().forEach(source::copyTo);
    weights.optimizer().continueAfter(step - skippedSteps);
    policy.weightsChanged();
    if (data.reference() != null) {
      data.reference().weightsChanged();
    }
    examplesSeen = numbers.examplesSeen();
    numTokens = numbers.numTokens();
    gradNorm = numbers.gradNorm();
    ofStep = numbers.ofStep();
    sinceReport = numbers.sinceReport();
    current = null;
    pairsOfStep.clear();
    clock = new StepClock();
  }

  /** Replaces the trained weights by saved ones, such as those of the best checkpoint. */
  public void replaceWeights(StateSource source) {
    source.copyTo(TrainingSnapshot.WEIGHTS, trained().parameters().values());
    policy.weightsChanged();
  }

  private List<Parameters.Parameter> movingWeights() {
    Parameters moving = data.reference() == null ? null : data.reference().movingWeights();
    return moving == null ? List.of() : moving.all();
  }

  private static void requireSame(String what, Object of, Object expected) {
    if (!of.equals(expected)) {
      throw new IllegalArgumentException(
          "the saved state must have the run's %s but has %s instead of %s"
              .formatted(what, of, expected));
    }
  }

  /**
   * Checks the trained weights. Losses cannot reveal all errors: no forward pass has used the
   * weights of the last step, or the embeddings of tokens that do not occur.
   *
   * @throws DpoException if a weight is not finite
   */
  void requireFiniteWeights() {
    if (trained != null && !trained.parameters().finite()) {
      throw new DpoException(
          OptionText.of(
              "after step %d all weights must be finite but some are not; lower {learning_rate}, or"
                  + " raise {adam_epsilon} if it is 0",
              step));
    }
  }

  /** Frees gradients and moments; the policy keeps its weights and counters stay readable. */
  @Override
  public void close() {
    if (gradientSums != null) {
      gradientSums.close();
    }
    if (trained != null) {
      trained.optimizer().close();
      trained.parameters().close();
      trained = null;
    }
  }
}
