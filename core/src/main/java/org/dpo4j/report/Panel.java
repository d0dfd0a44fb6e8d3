package org.dpo4j.report;

import java.util.List;

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
    /** 0 to 1. */
    SHARE,
    /** From the values, by powers of ten when they are positive and far apart. */
    LOG_WHEN_WIDE
  }

  /** How a curve is drawn, in the order of drawing: later ones lie on top. */
  enum Style {
    /** A pale line under another one, not in the legend. */
    FAINT,
    LINE,
    /** A dot at each value, joined by a thin dashed line. */
    DOTS
  }

  /**
   * One named series.
   *
   * @param steps x values, ascending
   * @param values y values; NaN and infinite ones are gaps
   * @param colour a number; the same number is the same colour in every panel
   */
  record Curve(String name, List<Double> steps, List<Double> values, Style style, int colour) {
    boolean isEmpty() {
      return values.stream().noneMatch(Double::isFinite);
    }
  }
}
