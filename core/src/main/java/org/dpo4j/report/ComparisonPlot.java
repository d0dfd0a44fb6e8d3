package org.dpo4j.report;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dpo4j.TrainingMetrics;

/**
 * Draws several runs side by side: one panel per quantity, one curve per run, with a logarithmic
 * axis if the values are positive and far apart.
 */
public final class ComparisonPlot {
  private ComparisonPlot() {}

  /**
   * One quantity, measured for several runs.
   *
   * @param title above its panel
   * @param unit of the y axis
   * @param runs one series for each run
   */
  public record Quantity(String title, String unit, List<Series> runs) {}

  /**
   * One run's values.
   *
   * @param name in the legend; a run has the same index in every quantity and therefore one color
   * @param values at steps 1, 2, ...; NaN and infinite ones are gaps
   */
  public record Series(String name, List<Double> values) {}

  /**
   * Draws the held-out loss, accuracy and reward margin of several runs, with a colour and dashes
   * of its own for each run; the logged training steps where no run has held-out examples.
   *
   * @param names of the runs
   * @param histories as many
   * @return empty if nothing was logged
   */
  public static List<Chart> heldOut(List<String> names, List<RunHistory> histories) {
    Set<String> sets = new LinkedHashSet<>();
    histories.forEach(history -> sets.addAll(history.datasets()));
    List<Panel> panels = new ArrayList<>();
    for (String set : sets) {
      panels.addAll(
          panels(
              "Held-out ",
              set.isEmpty() ? "" : " of " + set,
              names,
              histories.stream().map(history -> evaluations(history, set)).toList()));
    }
    if (panels.isEmpty()) {
      panels.addAll(
          panels("Training ", "", names, histories.stream().map(ComparisonPlot::steps).toList()));
    }
    return panels.stream().map(panel -> Chart.of(panel, 0)).toList();
  }

  private static SortedMap<Integer, TrainingMetrics> evaluations(RunHistory history, String set) {
    SortedMap<Integer, TrainingMetrics> metrics = new TreeMap<>();
    history.evaluations(set).forEach(report -> metrics.put(report.step(), report.metrics()));
    return metrics;
  }

  private static SortedMap<Integer, TrainingMetrics> steps(RunHistory history) {
    SortedMap<Integer, TrainingMetrics> metrics = new TreeMap<>();
    history.steps().forEach(report -> metrics.put(report.step(), report.metrics()));
    return metrics;
  }

  /** The panels that have a value. */
  private static List<Panel> panels(
      String what, String of, List<String> names, List<SortedMap<Integer, TrainingMetrics>> runs) {
    return Stream.of(
            new Panel(
                what + "loss" + of,
                "loss",
                curves(names, runs, TrainingMetrics::loss),
                Panel.Range.LOG_WHEN_WIDE),
            new Panel(
                what + "accuracy (reward margin above 0)" + of,
                "share of pairs",
                curves(names, runs, CurvesPlot::accuracy),
                Panel.Range.SHARE),
            new Panel(
                what + "reward margin (chosen - rejected)" + of,
                "nats × beta",
                curves(names, runs, CurvesPlot.reward(TrainingMetrics::rewardsMargins)),
                Panel.Range.FREE))
        .filter(panel -> panel.finiteValues().findAny().isPresent())
        .toList();
  }

  private static List<Panel.Curve> curves(
      List<String> names,
      List<SortedMap<Integer, TrainingMetrics>> runs,
      ToDoubleFunction<TrainingMetrics> value) {
    return IntStream.range(0, runs.size())
        .mapToObj(
            i ->
                new Panel.Curve(
                    names.get(i),
                    runs.get(i).keySet().stream().map(Integer::doubleValue).toList(),
                    runs.get(i).values().stream().map(value::applyAsDouble).toList(),
                    i == 0 ? Panel.Style.LINE : Panel.Style.DASHED,
                    i))
        .toList();
  }

  /** Draws the picture. */
  public static Picture draw(String title, List<Quantity> quantities) {
    List<Panel> panels = new ArrayList<>();
    for (Quantity quantity : quantities) {
      List<Panel.Curve> curves = new ArrayList<>();
      for (Series run : quantity.runs()) {
        curves.add(
            new Panel.Curve(
                run.name(),
                IntStream.rangeClosed(1, run.values().size())
                    .mapToObj(step -> (double) step)
                    .toList(),
                run.values(),
                Panel.Style.LINE,
                curves.size()));
      }
      panels.add(new Panel(quantity.title(), quantity.unit(), curves, Panel.Range.LOG_WHEN_WIDE));
    }
    return PanelGrid.draw(title, "", panels, Math.min(2, panels.size()), "step", 0);
  }
}
