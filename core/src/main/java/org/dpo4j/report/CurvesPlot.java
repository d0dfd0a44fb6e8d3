package org.dpo4j.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.dpo4j.train.EvaluationReport;
import org.dpo4j.train.PairMetrics;
import org.dpo4j.train.StepReport;

/**
 * Draws {@code curves.png}: loss, reward margin, accuracy, rewards, log-probabilities and gradient
 * norm over the logged steps, with the evaluations as dots. Long runs are shown pale, under their
 * running mean.
 */
public final class CurvesPlot {
  private static final int COLUMNS = 2;
  private static final int SMOOTH_FROM = 50;
  private static final int WINDOWS_PER_RUN = 25;
  private static final int SMALLEST_WINDOW = 5;

  private final RunHistory history;

  private CurvesPlot(RunHistory history) {
    this.history = history;
  }

  /**
   * Writes the picture; on a system that cannot draw (no fonts) a warning is logged instead.
   *
   * @throws IOException when the file cannot be written
   */
  public static void write(Path png, String title, RunHistory history) throws IOException {
    PanelGrid.write(png, title, new CurvesPlot(history).panels(), COLUMNS);
  }

  private List<Panel> panels() {
    return List.of(
        panel("Loss", "loss", Panel.Range.FREE, new Metric("", PairMetrics::loss)),
        panel(
            "Reward margin (chosen - rejected)",
            "β × log-ratio, nats",
            Panel.Range.FREE,
            new Metric("", PairMetrics::rewardsMargins)),
        panel(
            "Implicit rewards",
            "β × log-ratio, nats",
            Panel.Range.FREE,
            new Metric("chosen", PairMetrics::rewardsChosen),
            new Metric("rejected", PairMetrics::rewardsRejected)),
        panel(
            "Accuracy (reward margin > 0)",
            "share of pairs",
            Panel.Range.SHARE,
            new Metric("", PairMetrics::rewardsAccuracies)),
        panel(
            "Log-probability of the completion",
            "sum over tokens, nats",
            Panel.Range.FREE,
            new Metric("chosen", PairMetrics::logpsChosen),
            new Metric("rejected", PairMetrics::logpsRejected)),
        gradientNorm());
  }

  private record Metric(String side, ToDoubleFunction<PairMetrics> value) {
    String name(String source) {
      return side.isEmpty() ? source : side + ", " + source;
    }
  }

  private Panel panel(String title, String unit, Panel.Range range, Metric... metrics) {
    List<Panel.Curve> curves = new ArrayList<>();
    for (int i = 0; i < metrics.length; i++) {
      Metric metric = metrics[i];
      // One metric: training and evaluation differ in colour. Two: the sides do.
      int evaluationColour = metrics.length == 1 ? 1 : i;
      curves.addAll(
          training(
              metric.name("train"), report -> metric.value().applyAsDouble(report.metrics()), i));
      curves.add(evaluation(metric, evaluationColour));
    }
    return new Panel(title, unit, curves, range);
  }

  private Panel gradientNorm() {
    return new Panel(
        "Gradient norm before clipping",
        "global L2 norm",
        training("train", StepReport::gradNorm, 0),
        Panel.Range.LOG_WHEN_WIDE);
  }

  private List<Panel.Curve> training(String name, ToDoubleFunction<StepReport> value, int colour) {
    List<StepReport> reports = history.steps();
    List<Double> steps = reports.stream().map(report -> (double) report.step()).toList();
    List<Double> values = reports.stream().map(value::applyAsDouble).toList();
    if (values.size() < SMOOTH_FROM) {
      return List.of(new Panel.Curve(name, steps, values, Panel.Style.LINE, colour));
    }
    int window = Math.max(SMALLEST_WINDOW, values.size() / WINDOWS_PER_RUN);
    return List.of(
        new Panel.Curve(name, steps, values, Panel.Style.FAINT, colour),
        new Panel.Curve(
            name + " (mean of " + window + ")",
            steps,
            runningMean(values, window),
            Panel.Style.LINE,
            colour));
  }

  private Panel.Curve evaluation(Metric metric, int colour) {
    List<EvaluationReport> reports = history.evaluations();
    return new Panel.Curve(
        metric.name("eval"),
        reports.stream().map(report -> (double) report.step()).toList(),
        reports.stream().map(r -> metric.value().applyAsDouble(r.metrics())).toList(),
        Panel.Style.DOTS,
        colour);
  }

  /** Mean of the finite values among the last {@code window}; NaN where there are none. */
  static List<Double> runningMean(List<Double> values, int window) {
    List<Double> means = new ArrayList<>();
    for (int end = 1; end <= values.size(); end++) {
      means.add(
          values.subList(Math.max(0, end - window), end).stream()
              .mapToDouble(Double::doubleValue)
              .filter(Double::isFinite)
              .average()
              .orElse(Double.NaN));
    }
    return means;
  }
}
