package org.dpo4j.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;

/** Numbers for people. */
public final class ShortNumber {
  private static final double LARGEST_PLAIN = 1e5;
  private static final MathContext FOUR_DIGITS = new MathContext(4, RoundingMode.HALF_EVEN);
  private static final int SMALLEST_PLAIN_EXPONENT = -4;
  private static final int LARGEST_PLAIN_EXPONENT = 15;

  private ShortNumber() {}

  /**
   * A number in a format such as {@code %+.3f}. A result of zeros has no minus sign; a number that
   * is too large for a column has the form of {@link #of}.
   */
  public static String fixed(String format, double value) {
    if (!(Math.abs(value) < LARGEST_PLAIN)) {
      return of(value);
    }
    String text = String.format(Locale.ROOT, format, value);
    boolean zero = text.chars().noneMatch(c -> c >= '1' && c <= '9');
    return zero ? String.format(Locale.ROOT, format, 0.0) : text;
  }

  /** {@code 1 step}, {@code 1,024 steps}. */
  public static String count(long number, String noun) {
    return String.format(Locale.ROOT, "%,d %s%s", number, noun, number == 1 ? "" : "s");
  }

  /**
   * Four significant digits, written as Python writes a number: {@code 0.6931}, {@code -1229.0},
   * {@code 1e-06}, {@code nan}, {@code -inf}; integers in full.
   */
  public static String of(Number number) {
    if (number instanceof Integer || number instanceof Long) {
      return number.toString();
    }
    double value = number.doubleValue();
    if (Double.isNaN(value)) {
      return "nan";
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "inf" : "-inf";
    }
    if (value == 0) {
      return "0.0";
    }
    BigDecimal rounded = new BigDecimal(value).round(FOUR_DIGITS).stripTrailingZeros();
    int exponent = rounded.precision() - rounded.scale() - 1;
    if (exponent < SMALLEST_PLAIN_EXPONENT || exponent > LARGEST_PLAIN_EXPONENT) {
      BigDecimal mantissa = rounded.scaleByPowerOfTen(-exponent);
      return "%se%s%02d"
          .formatted(mantissa.toPlainString(), exponent < 0 ? "-" : "+", Math.abs(exponent));
    }
    String plain = rounded.toPlainString();
    return plain.indexOf('.') < 0 ? plain + ".0" : plain;
  }
}
