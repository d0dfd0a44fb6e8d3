package org.dpo4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;

/**
 * Draws the curves of a run: loss, accuracy, rewards, log-probabilities, entropy, gradient norm and
 * learning rate over the logged steps, with the evaluations as dots. In a long run, the values are
 * pale and a running mean lies on top.
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
   * Draws the curves.
   *
   * @param title what was trained
   * @param subtitle how it was trained
   * @param stepsPerEpoch steps between the vertical lines; 0 for none
   */
  public static Picture draw(
      String title, String subtitle, RunHistory history, double stepsPerEpoch) {
    String means = means(history).map("; %s"::formatted).orElse("");
    return PanelGrid.draw(
        title, subtitle + means, new CurvesPlot(history).panels(), COLUMNS, "step", stepsPerEpoch);
  }

  /** How {@link #charts} are to be read. */
  public static String note(RunHistory history) {
    return "Dots (eval): held-out %ss. Each training value is of other examples than the one before it%s."
        .formatted(history.kind().noun(), means(history).map("; %s"::formatted).orElse(""));
  }

  /** What thick lines over pale ones are; empty for a short run, which has none. */
  static Optional<String> means(RunHistory history) {
    int window = window(history.steps().size());
    return window > 1
        ? Optional.of("thick lines: means of the last %d logged values".formatted(window))
        : Optional.empty();
  }

  /**
   * Draws the curves as a chart for each metric, with the colours and the order of {@link #draw}.
   *
   * @param stepsPerEpoch steps between the vertical lines; 0 for none
   * @return empty without a report
   */
  public static List<Chart> charts(RunHistory history, double stepsPerEpoch) {
    if (history.steps().isEmpty() && history.evaluations().isEmpty()) {
      return List.of();
    }
    return new CurvesPlot(history)
        .panels().stream().map(panel -> Chart.of(panel, stepsPerEpoch)).toList();
  }

  private List<Panel> panels() {
    List<Panel> panels = new ArrayList<>();
    panels.add(
        panel("Loss", "loss", Panel.Range.LOG_WHEN_WIDE, new Metric("", TrainingMetrics::loss)));
    switch (history.kind()) {
      case PAIRS -> {
        panels.add(
            panel(
                "Accuracy (reward margin above 0)",
                "share of pairs",
                Panel.Range.SHARE,
                new Metric("", CurvesPlot::accuracy)));
        panels.addAll(rewardsAndLogProbabilities());
      }
      case LABELED -> {
        panels.add(
            panel(
                "KL divergence from the reference, estimated",
                "nats",
                Panel.Range.FREE,
                new Metric("", TrainingMetrics::kl)));
        panels.addAll(rewardsAndLogProbabilities());
      }
      case DEMONSTRATIONS ->
          panels.add(
              panel(
                  "Accuracy (likeliest token is the right one)",
                  "share of tokens",
                  Panel.Range.SHARE,
                  new Metric("", TrainingMetrics::meanTokenAccuracy)));
    }
    panels.add(
        panel(
            "Entropy of the next token",
            "nats",
            Panel.Range.FREE,
            new Metric("", TrainingMetrics::entropy)));
    panels.add(
        new Panel(
            "Gradient norm before clipping",
            "L2 norm",
            training("train", StepReport::gradNorm, 0),
            Panel.Range.LOG_WHEN_WIDE));
    panels.add(
        new Panel(
            "Learning rate", "rate", List.of(exact(StepReport::learningRate)), Panel.Range.FREE));
    return panels;
  }

  private List<Panel> rewardsAndLogProbabilities() {
    return List.of(
        panel(
            "Reward margin (chosen - rejected)",
            "nats × beta",
            Panel.Range.FREE,
            new Metric("", reward(TrainingMetrics::rewardsMargins))),
        panel(
            "Rewards",
            "nats × beta",
            Panel.Range.FREE,
            new Metric("chosen", reward(TrainingMetrics::rewardsChosen)),
            new Metric("rejected", reward(TrainingMetrics::rewardsRejected))),
        panel(
            "Log-probability of the completion",
            "nats",
            Panel.Range.FREE,
            new Metric("chosen", TrainingMetrics::logpsChosen),
            new Metric("rejected", TrainingMetrics::logpsRejected)));
  }

  /** NaN before the first update: for ties the accuracy is 0 and has no meaning. */
  static double accuracy(TrainingMetrics metrics) {
    return metrics.tied() ? Double.NaN : metrics.rewardsAccuracies();
  }

  /** 0 for ties: their margins are only rounding errors, which the axis would magnify. */
  static ToDoubleFunction<TrainingMetrics> reward(ToDoubleFunction<TrainingMetrics> value) {
    return metrics -> metrics.tied() ? 0 : value.applyAsDouble(metrics);
  }

  private record Metric(String side, ToDoubleFunction<TrainingMetrics> value) {
    String trained() {
      return side.isEmpty() ? "train" : side;
    }

    String heldOut(String dataset) {
      return Stream.of(side, "eval", dataset)
          .filter(word -> !word.isEmpty())
          .collect(Collectors.joining(" "));
    }
  }

  private Panel panel(String title, String unit, Panel.Range range, Metric... metrics) {
    List<Panel.Curve> curves = new ArrayList<>();
    for (int i = 0; i < metrics.length; i++) {
      ToDoubleFunction<TrainingMetrics> value = metrics[i].value();
      curves.addAll(
          training(metrics[i].trained(), report -> value.applyAsDouble(report.metrics()), i));
    }
    List<String> datasets = history.datasets();
    for (int set = 0; set < datasets.size(); set++) {
      for (int i = 0; i < metrics.length; i++) {
        // With one metric, training and evaluation differ in color; with two, the sides do.
        int colour = metrics.length == 1 ? 1 + set : i + metrics.length * set;
        curves.add(evaluation(metrics[i], datasets.get(set), colour));
      }
    }
    return new Panel(title, unit, curves, range);
  }

  /** A curve without a running mean, for a schedule, which has no noise. */
  private Panel.Curve exact(ToDoubleFunction<StepReport> value) {
    return new Panel.Curve(
        "train",
        history.steps().stream().map(report -> (double) report.step()).toList(),
        history.steps().stream().map(value::applyAsDouble).toList(),
        Panel.Style.LINE,
        0);
  }

  private List<Panel.Curve> training(String name, ToDoubleFunction<StepReport> value, int colour) {
    List<StepReport> reports = history.steps();
    List<Double> steps = reports.stream().map(report -> (double) report.step()).toList();
    List<Double> values = reports.stream().map(value::applyAsDouble).toList();
    int window = window(values.size());
    if (window == 1) {
      return List.of(new Panel.Curve(name, steps, values, Panel.Style.LINE, colour));
    }
    return List.of(
        new Panel.Curve(name, steps, values, Panel.Style.FAINT, colour),
        new Panel.Curve(name, steps, runningMean(values, window), Panel.Style.LINE, colour));
  }

  /** The number of values in a running mean; 1 for a run that is too short to be smoothed. */
  private static int window(int values) {
    return values < SMOOTH_FROM ? 1 : Math.max(SMALLEST_WINDOW, values / WINDOWS_PER_RUN);
  }

  private Panel.Curve evaluation(Metric metric, String dataset, int colour) {
    // The saved weights may be those of an earlier step, or have been rounded at the last one.
    SortedMap<Double, Double> values = new TreeMap<>();
    history
        .evaluations(dataset)
        .forEach(
            report ->
                values.put((double) report.step(), metric.value().applyAsDouble(report.metrics())));
    return new Panel.Curve(
        metric.heldOut(dataset),
        List.copyOf(values.keySet()),
        List.copyOf(values.values()),
        Panel.Style.DOTS,
        colour);
  }

  /** Means of the finite values among the last {@code window}; NaN if there are none. */
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
