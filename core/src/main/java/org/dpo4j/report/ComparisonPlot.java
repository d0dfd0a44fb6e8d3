package org.dpo4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

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
