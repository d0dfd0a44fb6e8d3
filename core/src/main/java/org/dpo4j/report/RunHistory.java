package org.dpo4j.report;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Stream;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.StartCheck;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingMetrics;

/** Collects the reports of a run, in order. The files at the end of the run are made from it. */
public final class RunHistory implements TrainingListener {

  /**
   * The evaluations of a set of held-out examples.
   *
   * @param first usually before the first step
   * @param last the same report if there was only one
   */
  public record HeldOut(EvaluationReport first, EvaluationReport last) {

    /** Whether there is an evaluation of an earlier step to compare with. */
    boolean compares() {
      return first.step() < last.step();
    }

    /** Names the set behind a noun, if it has a name. */
    public String of() {
      return last.dataset().isEmpty() ? "" : " of " + last.dataset();
    }
  }

  private final List<StepReport> steps = new ArrayList<>();
  private final List<EvaluationReport> evaluations = new ArrayList<>();
  private final List<Map<String, Number>> log = new ArrayList<>();
  private OptionalDouble startLoss = OptionalDouble.empty();

  @Override
  public void onStartCheck(StartCheck check) {
    startLoss = OptionalDouble.of(check.expected());
  }

  @Override
  public void onReport(StepReport report, TrainingControl control) {
    add(report);
  }

  @Override
  public void onEvaluation(EvaluationReport report, TrainingControl control) {
    add(report);
  }

  /** The kind of examples in the reports; pairs if there is none. */
  public ExampleKind kind() {
    return Stream.concat(
            steps.stream().map(StepReport::metrics),
            evaluations.stream().map(EvaluationReport::metrics))
        .findFirst()
        .map(TrainingMetrics::kind)
        .orElse(ExampleKind.PAIRS);
  }

  /** The loss before the first update, if theory determines it. */
  public OptionalDouble startLoss() {
    return startLoss;
  }

  /**
   * Continues the history of an earlier run.
   *
   * @param earlierSteps its logged steps
   * @param earlierEvaluations its evaluations
   * @param loss its loss before the first update, where theory gives it
   */
  public void restore(
      List<StepReport> earlierSteps,
      List<EvaluationReport> earlierEvaluations,
      OptionalDouble loss) {
    startLoss = loss;
    int next = 0;
    for (StepReport report : earlierSteps) {
      while (next < earlierEvaluations.size()
          && earlierEvaluations.get(next).step() < report.step()) {
        add(earlierEvaluations.get(next++));
      }
      add(report);
    }
    earlierEvaluations.subList(next, earlierEvaluations.size()).forEach(this::add);
  }

  /** Adds a logged step. */
  public void add(StepReport report) {
    steps.add(report);
    Map<String, Number> named = new LinkedHashMap<>(MetricNames.of(report));
    named.putAll(MetricNames.times(report));
    log(named, report.step());
  }

  /** Adds an evaluation. */
  public void add(EvaluationReport report) {
    evaluations.add(report);
    log(MetricNames.of(report), report.step());
  }

  /** Appends the totals of the run to the log, as transformers does. */
  public void finish(Map<String, Number> results) {
    log(results, lastStep().map(StepReport::step).orElse(0));
  }

  /** The logged steps so far. */
  public List<StepReport> steps() {
    return Collections.unmodifiableList(steps);
  }

  /** The evaluations so far. */
  public List<EvaluationReport> evaluations() {
    return Collections.unmodifiableList(evaluations);
  }

  /** The last logged step; empty before the first. */
  public Optional<StepReport> lastStep() {
    return steps.isEmpty() ? Optional.empty() : Optional.of(steps.get(steps.size() - 1));
  }

  /** The sets of the last evaluation, in order; an empty name for a single set without one. */
  public List<String> datasets() {
    int last = lastEvaluation().map(EvaluationReport::step).orElse(0);
    return evaluations.stream()
        .filter(report -> report.step() == last)
        .map(EvaluationReport::dataset)
        .distinct()
        .toList();
  }

  /** The first and the last evaluation of each of {@link #datasets}. */
  public List<HeldOut> heldOut() {
    return datasets().stream()
        .map(
            dataset -> {
              List<EvaluationReport> reports = evaluations(dataset);
              return new HeldOut(reports.get(0), reports.get(reports.size() - 1));
            })
        .toList();
  }

  /** The evaluations so far of one set. */
  public List<EvaluationReport> evaluations(String dataset) {
    return evaluations.stream().filter(report -> report.dataset().equals(dataset)).toList();
  }

  /** The last evaluation; empty when there was none. */
  public Optional<EvaluationReport> lastEvaluation() {
    return evaluations.isEmpty()
        ? Optional.empty()
        : Optional.of(evaluations.get(evaluations.size() - 1));
  }

  /** Every report by name, each with its {@code step}: transformers' {@code log_history}. */
  public List<Map<String, Number>> log() {
    return Collections.unmodifiableList(log);
  }

  /** Mean loss over all steps, each report weighted by the steps it covers; NaN without steps. */
  public double meanLoss() {
    return meanLoss(0);
  }

  /** The same mean over the reports from index {@code first} on. */
  double meanLoss(int first) {
    int start = first == 0 ? 0 : steps.get(first - 1).step();
    double sum = 0;
    int before = start;
    for (StepReport report : steps.subList(first, steps.size())) {
      sum += report.metrics().loss() * (report.step() - before);
      before = report.step();
    }
    return sum / (before - start);
  }

  private void log(Map<String, Number> named, int step) {
    Map<String, Number> entry = new LinkedHashMap<>(named);
    entry.put("step", step);
    log.add(Collections.unmodifiableMap(entry));
  }
}
