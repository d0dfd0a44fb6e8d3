package org.dpo4j.report;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.jspecify.annotations.Nullable;

/**
 * The held-out metric by which evaluations are compared, as transformers' {@code
 * metric_for_best_model}. The evaluation before the first step does not take part.
 *
 * @param dataset name of the evaluation set whose metric it is; empty for the only one
 * @param name with {@code eval_} and the set's name
 * @param greaterIsBetter whether a higher value is better
 */
public record BestMetric(String dataset, String name, boolean greaterIsBetter) {

  private static final String PREFIX = "eval_";

  public BestMetric {
    if (Stream.of(ExampleKind.values())
        .noneMatch(kind -> MetricNames.ofEvaluation(kind, dataset).contains(name))) {
      throw new IllegalArgumentException("no evaluation has a metric " + name);
    }
  }

  /** The name with {@code eval_}, which may be left out. */
  public static String fullName(String name) {
    return name.startsWith(PREFIX) ? name : PREFIX + name;
  }

  /** The metric's value; NaN if the evaluation does not have it. */
  public double of(EvaluationReport evaluation) {
    Number value = MetricNames.of(evaluation).get(name);
    return value == null ? Double.NaN : value.doubleValue();
  }

  private boolean takesPart(EvaluationReport evaluation) {
    return evaluation.step() > 0 && evaluation.dataset().equals(dataset);
  }

  private boolean better(double value, double than) {
    return greaterIsBetter ? value > than : value < than;
  }

  /** The best evaluation, the earliest of equal ones; empty if there is none after a step. */
  public Optional<EvaluationReport> best(List<EvaluationReport> evaluations) {
    @Nullable EvaluationReport best = null;
    for (EvaluationReport evaluation : evaluations) {
      if (takesPart(evaluation) && (best == null || better(of(evaluation), of(best)))) {
        best = evaluation;
      }
    }
    return Optional.ofNullable(best);
  }

  /**
   * Evaluations since the last one that was better than all before it by more than a threshold.
   *
   * @param threshold not negative
   */
  public int sinceImprovement(List<EvaluationReport> evaluations, double threshold) {
    @Nullable Double best = null;
    int since = 0;
    for (EvaluationReport evaluation : evaluations) {
      if (!takesPart(evaluation)) {
        continue;
      }
      double value = of(evaluation);
      boolean first = best == null;
      double before = first ? 0 : Objects.requireNonNull(best);
      since =
          first || (better(value, before) && Math.abs(value - before) > threshold) ? 0 : since + 1;
      if (first || better(value, before)) {
        best = value;
      }
    }
    return since;
  }
}
