package org.dpo4j.report;

import java.util.Locale;

/** Lengths of time for people. */
public final class TimeText {
  private static final int MINUTE = 60;
  private static final int HOUR = 60 * MINUTE;
  private static final int DAY = 24 * HOUR;

  private TimeText() {}

  /**
   * In one or two units: {@code 45 s}, {@code 12 min}, {@code 3 h 05 min}, {@code 2 d 04 h}; a dash
   * if the length is unknown.
   *
   * @param seconds NaN or infinite if unknown
   */
  public static String of(double seconds) {
    if (!Double.isFinite(seconds) || seconds < 0) {
      return "-";
    }
    long whole = Math.round(seconds);
    if (whole < MINUTE) {
      return whole + " s";
    }
    // Round to the smaller unit first, so that the result is never "60 min".
    long minutes = Math.round(seconds / MINUTE);
    if (minutes < 60) {
      return minutes + " min";
    }
    long hours = Math.round(seconds / HOUR);
    return hours < 24
        ? String.format(Locale.ROOT, "%d h %02d min", minutes / 60, minutes % 60)
        : String.format(Locale.ROOT, "%d d %02d h", hours * HOUR / DAY, hours % 24);
  }
}
