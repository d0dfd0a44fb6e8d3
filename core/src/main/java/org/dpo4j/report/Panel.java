package org.dpo4j.report;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;

/**
 * One chart of a picture: curves over steps.
 *
 * @param title above it
 * @param unit of the y axis
 * @param curves what it shows; those without a finite value are left out
 * @param range of the y axis
 */
record Panel(String title, String unit, List<Curve> curves, Range range) {
  /** How the y axis is chosen. */
  enum Range {
    /** From the values. */
    FREE,
    /**
     * For shares of pairs: up to 1, and down to 0.5 (chance) or to the smallest value if it is
     * lower.
     */
    SHARE,
    /** From the values; logarithmic if they are positive and far apart. */
    LOG_WHEN_WIDE
  }

  /** How a curve is drawn, in the order of drawing: later ones lie on top. */
  enum Style {
    /** A pale line under another one, not in the legend. */
    FAINT,
    LINE,
    /** A line with gaps, through which another one is seen that has the same values. */
    DASHED,
    /** A dot at each value, joined by a thin dashed line. */
    DOTS
  }

  /**
   * One named series.
   *
   * @param steps x values, ascending
   * @param values y values, as many; NaN and infinite ones are gaps
   * @param colour a number that gives the same color in every panel
   */
  record Curve(String name, List<Double> steps, List<Double> values, Style style, int colour) {
    Curve {
      if (steps.size() != values.size()) {
        throw new IllegalArgumentException(
            "a curve must have a value for each step but has %d steps and %d values"
                .formatted(steps.size(), values.size()));
      }
    }

    private String lastValue() {
      int last = values.size() - 1;
      while (!Double.isFinite(values.get(last))) {
        last--;
      }
      return "%s %s at step %d"
          .formatted(name, ShortNumber.of(values.get(last)), steps.get(last).intValue());
    }

    boolean isEmpty() {
      return values.stream().noneMatch(Double::isFinite);
    }
  }

  /** All values that can be drawn. */
  DoubleStream finiteValues() {
    return curves.stream()
        .flatMap(curve -> curve.values().stream())
        .mapToDouble(Double::doubleValue)
        .filter(Double::isFinite);
  }

  /** The title, and the last value of each curve with its step. */
  String lastValues() {
    return title
        + curves.stream()
            .filter(curve -> curve.style() != Style.FAINT && !curve.isEmpty())
            .map(Curve::lastValue)
            .collect(Collectors.joining(", ", ": ", ""));
  }
}
