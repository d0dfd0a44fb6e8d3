package org.dpo4j.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Supplier;
import org.dpo4j.EvaluationReport;
import org.dpo4j.SkippedStep;
import org.dpo4j.StartCheck;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.TrainingStart;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.train.ExampleListener;
import org.dpo4j.train.ExampleNumbers;
import org.jspecify.annotations.Nullable;

/**
 * A run as it is at this moment. The thread that trains writes it, those that show it read it:
 * {@link #view} gives them a copy, from which they make what they show.
 */
public final class LiveRun implements TrainingListener, ExampleListener, Progress {

  /** Pairs that are remembered, the lowest margins first; a page shows fewer. */
  private static final int REMEMBERED = 256;

  private static final Comparator<Pair> BY_MARGIN = Comparator.comparingDouble(Pair::margin);

  /** Where a run is. */
  enum Stage {
    PREPARING,
    TRAINING,
    ENDED,
    FAILED
  }

  /**
   * A training pair.
   *
   * @param margin at its last visit
   * @param step of this visit
   */
  public record Pair(RowOrigin origin, double margin, int step) {}

  /**
   * A copy of all that is known.
   *
   * @param state a sentence about the stage
   * @param task what is done before and between steps, and its pieces; "" while steps are done
   * @param last the last step; null before the first
   * @param secondsLeft until the last step, estimated; NaN if unknown
   * @param secondsPerStep of this process, evaluations included; NaN before the first
   * @param examplesPerSecond likewise; NaN before the second step
   * @param tokensPerSecond likewise
   * @param pairs those with the lowest margins, the lowest first
   */
  record View(
      Stage stage,
      String state,
      String task,
      int done,
      int total,
      @Nullable TrainingStart start,
      @Nullable StepReport last,
      double secondsLeft,
      double secondsPerStep,
      double examplesPerSecond,
      double tokensPerSecond,
      OptionalDouble startLoss,
      List<StepReport> steps,
      List<EvaluationReport> evaluations,
      List<String> warnings,
      List<Pair> pairs,
      List<PromptAnswers> answers) {

    /** The reports as a history. */
    RunHistory history() {
      RunHistory history = new RunHistory();
      history.restore(steps, evaluations, startLoss);
      return history;
    }
  }

  private final RunHistory earlier;
  private final List<StepReport> steps = new ArrayList<>();
  private final List<EvaluationReport> evaluations = new ArrayList<>();
  private final Supplier<List<String>> allWarnings;
  private final Map<RowOrigin, Pair> pairs = new HashMap<>();
  private final Map<String, Map<Integer, String>> answers = new LinkedHashMap<>();
  private Stage stage = Stage.PREPARING;
  private String state = "reading model and data";
  private String task = "";
  private int done;
  private int total;
  private @Nullable TrainingStart start;
  private @Nullable StepReport last;
  private @Nullable StepReport first;
  private long firstEnded;
  private long lastEnded;
  private long examples;
  private OptionalDouble startLoss = OptionalDouble.empty();
  private List<String> warnings = List.of();

  /**
   * @param history of the run, read when it starts: a continued run has reports then
   * @param warnings of the run so far; called on the thread that trains
   */
  public LiveRun(RunHistory history, Supplier<List<String>> warnings) {
    this.earlier = history;
    this.allWarnings = warnings;
  }

  @Override
  public synchronized void update(String name, int pieces, int all, String note) {
    task = pieces == all ? "" : name;
    done = pieces;
    total = all;
  }

  @Override
  public synchronized void onStart(TrainingStart event) {
    start = event;
    state = "preparing the first step";
    startLoss = earlier.startLoss();
    steps.addAll(earlier.steps());
    evaluations.addAll(earlier.evaluations());
    warnings = allWarnings.get();
  }

  @Override
  public synchronized void onStartCheck(StartCheck check) {
    startLoss = OptionalDouble.of(check.expected());
    stage = Stage.TRAINING;
    state = "training";
  }

  @Override
  public synchronized void onStep(StepReport step, TrainingControl control) {
    long now = System.nanoTime();
    if (first == null) {
      first = step;
      firstEnded = now;
    } else {
      examples += step.examples();
    }
    stage = Stage.TRAINING;
    state = "training";
    task = "";
    last = step;
    lastEnded = now;
  }

  @Override
  public synchronized void onSkippedStep(SkippedStep step, TrainingControl control) {
    warnings = allWarnings.get();
  }

  @Override
  public synchronized void onReport(StepReport report, TrainingControl control) {
    steps.add(report);
    warnings = allWarnings.get();
  }

  @Override
  public synchronized void onEvaluation(EvaluationReport report, TrainingControl control) {
    evaluations.add(report);
    warnings = allWarnings.get();
  }

  @Override
  public synchronized void onEnd(TrainingResult result) {
    stage = Stage.ENDED;
    state =
        result.files().isEmpty()
            ? "ended after %s: nothing was saved"
                .formatted(ShortNumber.count(result.steps(), "step"))
            : "done: %s; saved in %s"
                .formatted(ShortNumber.count(result.steps(), "step"), result.outputFolder());
    warnings = allWarnings.get();
  }

  @Override
  public synchronized void onFailure(Throwable failure) {
    stage = Stage.FAILED;
    state = "failed: " + failure.getMessage();
  }

  @Override
  public synchronized void onStep(int step, double epoch, List<ExampleNumbers> visited) {
    for (ExampleNumbers example : visited) {
      pairs.remove(example.origin());
      if (Double.isFinite(example.margin())) {
        pairs.put(example.origin(), new Pair(example.origin(), example.margin(), step));
      }
    }
    if (pairs.size() > 2 * REMEMBERED) {
      List<Pair> kept = pairs.values().stream().sorted(BY_MARGIN).limit(REMEMBERED).toList();
      pairs.clear();
      kept.forEach(pair -> pairs.put(pair.origin(), pair));
    }
  }

  @Override
  public void onEvaluation(int step, double epoch, String dataset, List<ExampleNumbers> heldOut) {}

  /**
   * Adds an answer of the model.
   *
   * @param step steps done
   */
  public synchronized void answered(int step, String prompt, String answer) {
    answers.computeIfAbsent(prompt, key -> new LinkedHashMap<>()).put(step, answer);
  }

  /** The pairs with the lowest margins at their last visit, the lowest first. */
  public synchronized List<Pair> lowest(int most) {
    return pairs.values().stream().sorted(BY_MARGIN).limit(most).toList();
  }

  /** A copy, of {@code most} pairs. */
  synchronized View view(int most) {
    StepReport latest = last;
    double perStep = Double.NaN;
    double left = Double.NaN;
    double rate = Double.NaN; // per nanosecond of the steps after the first
    double tokens = 0;
    if (first != null && latest != null) {
      int later = latest.step() - first.step();
      perStep = later == 0 ? latest.stepSeconds() : (lastEnded - firstEnded) / 1e9 / later;
      left = perStep * (latest.maxSteps() - latest.step());
      rate = later == 0 ? Double.NaN : 1e9 / (lastEnded - firstEnded);
      tokens = latest.numTokens() - first.numTokens();
    }
    return new View(
        stage,
        state,
        task,
        done,
        total,
        start,
        latest,
        left,
        perStep,
        examples * rate,
        tokens * rate,
        startLoss,
        List.copyOf(steps),
        List.copyOf(evaluations),
        warnings,
        lowest(most),
        answers.entrySet().stream()
            .map(entry -> new PromptAnswers(entry.getKey(), entry.getValue()))
            .toList());
  }
}
