package org.dpo4j.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;

/**
 * One axis of a chart.
 *
 * @param low value at its beginning
 * @param high value at its end, above {@code low}
 * @param logarithmic whether equal distances are equal ratios
 * @param ticks round values on it, ascending
 */
record Axis(double low, double high, boolean logarithmic, List<Tick> ticks) {

  /**
   * Above this ratio of the largest to the smallest value, {@code LOG_WHEN_WIDE} is logarithmic.
   */
  private static final double WIDE_RATIO = 50;

  private static final double PADDING = 0.05;
  private static final int Y_TICKS = 7;
  private static final int X_TICKS = 8;
  private static final int MOST_POWERS = 6;
  private static final MathContext THREE_DIGITS = new MathContext(3, RoundingMode.HALF_EVEN);
  private static final double LARGEST_PLAIN = 1e5;
  private static final double SMALLEST_STEP = 1e-4;
  private static final double CHANCE = 0.5;

  /**
   * Values whose half range is at most this share of the largest are drawn as one value, since
   * short labels could not tell them apart.
   */
  private static final double FLAT = 5e-5;

  /** Up to this many steps from 0, three digits distinguish adjacent ticks. */
  private static final double TOLD_APART = 500;

  /** A labelled value. */
  record Tick(double value, String label) {}

  /** The axis of the steps: whole numbers from 0 on, with a margin around a single one. */
  static Axis ofSteps(double first, double last) {
    double low = first == last ? Math.max(0, first - 1) : first;
    double high = first == last ? last + 1 : last;
    double step = Math.max(1, roundStep((high - low) / X_TICKS));
    return linear(low, high, step == Math.rint(step) ? step : 2 * step); // not 2.5
  }

  /** The y axis of a panel; from 0 to 1 if the panel has no values. */
  static Axis ofValues(Panel panel) {
    double low = panel.finiteValues().min().orElse(0);
    double high = panel.finiteValues().max().orElse(1);
    if (panel.range() == Panel.Range.LOG_WHEN_WIDE && low > 0 && high / low > WIDE_RATIO) {
      return logarithmic(low, high);
    }
    if (panel.range() == Panel.Range.SHARE) {
      low = Math.min(low, CHANCE);
      high = 1;
    }
    // Halve first: the difference may overflow a double.
    double half = high / 2 - low / 2;
    if (half <= FLAT * Math.max(Math.abs(low), Math.abs(high))) {
      half = high == 0 ? 0.1 : Math.abs(high) * 0.1;
      low -= half;
      high += half;
    }
    double margin = 2 * PADDING * half;
    return linear(low - margin, high + margin, roundStep((half + margin) / Y_TICKS * 2));
  }

  private static Axis linear(double low, double high, double step) {
    List<Tick> ticks = new ArrayList<>();
    double first = Math.ceil(low / step);
    for (int i = 0; (first + i) * step <= high && i < 2 * X_TICKS; i++) {
      double value = (first + i) * step;
      ticks.add(new Tick(value, label(value, step)));
    }
    return new Axis(low, high, false, ticks);
  }

  private static Axis logarithmic(double low, double high) {
    double from = Math.log10(low) - PADDING;
    double to = Math.log10(high) + PADDING;
    // Ticks are at powers of ten: at every second, third, ... if there are many, and also at 2 and
    // 5 times a power if there are few.
    int every = Math.max(1, (int) Math.ceil((to - from) / MOST_POWERS));
    double[] digits = to - from < 2.5 ? new double[] {1, 2, 5} : new double[] {1};
    List<Tick> ticks = new ArrayList<>();
    for (int power = (int) Math.floor(from); power <= to; power++) {
      for (double digit : digits) {
        double value = digit * Math.pow(10, power);
        if (Math.floorMod(power, every) == 0 && value >= low * 0.9 && value <= high * 1.1) {
          ticks.add(new Tick(value, label(value, value)));
        }
      }
    }
    return new Axis(Math.pow(10, from), Math.min(Double.MAX_VALUE, Math.pow(10, to)), true, ticks);
  }

  /** The position of a value: 0 at the beginning of the axis, 1 at its end. */
  double at(double value) {
    return logarithmic
        ? (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low))
        : (value / 2 - low / 2) / (high / 2 - low / 2);
  }

  /** Whether a value lies on the axis. */
  boolean shows(double value) {
    return value >= low && value <= high;
  }

  /** Rounds up to 1, 2, 2.5 or 5 times a power of ten. */
  private static double roundStep(double step) {
    double power = Math.pow(10, Math.floor(Math.log10(step)));
    return DoubleStream.of(1, 2, 2.5, 5)
        .map(digit -> digit * power)
        .filter(round -> round >= step * (1 - 1e-9))
        .findFirst()
        .orElse(10 * power);
  }

  /** As many decimals as the step has; powers of ten for the very large and very small. */
  private static String label(double value, double step) {
    double size = Math.abs(value);
    if (size < step / 2) {
      return "0";
    }
    if (size >= LARGEST_PLAIN || (step < SMALLEST_STEP && size < TOLD_APART * step)) {
      return power(value);
    }
    int decimals =
        Math.max(0, new BigDecimal(step).round(new MathContext(2)).stripTrailingZeros().scale());
    return String.format(
        Locale.ROOT,
        "%,." + decimals + "f",
        new BigDecimal(value).setScale(decimals, RoundingMode.HALF_EVEN));
  }

  /** A value with three digits, in as few characters as possible: {@code 2.61}, {@code 3.57e-6}. */
  static String brief(double value) {
    if (value == 0) {
      return "0";
    }
    if (Math.abs(value) >= LARGEST_PLAIN || Math.abs(value) < 1e-3) {
      return power(value);
    }
    BigDecimal rounded = new BigDecimal(value).round(THREE_DIGITS);
    return rounded.scale() < 0 ? rounded.toPlainString() : rounded.toString();
  }

  private static String power(double value) {
    BigDecimal rounded = new BigDecimal(value).round(THREE_DIGITS).stripTrailingZeros();
    int exponent = rounded.precision() - rounded.scale() - 1;
    return rounded.scaleByPowerOfTen(-exponent).toPlainString() + "e" + exponent;
  }
}
