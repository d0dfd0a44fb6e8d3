package org.dpo4j.tokenizer;

import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** Python's {@code strftime} in the C locale. */
final class Strftime {
  private Strftime() {}

  /** An unknown directive is kept as it is. */
  static String format(ZonedDateTime time, String format) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      boolean directive = format.charAt(i) == '%' && i + 1 < format.length();
      if (!directive) {
        text.append(format.charAt(i));
      } else if (format.charAt(i + 1) == '-' && i + 2 < format.length()) {
        String padded = directive(time, format.charAt(i + 2));
        text.append(padded.replaceFirst("^[0 ]+(?=.)", ""));
        i += 2;
      } else {
        text.append(directive(time, format.charAt(i + 1)));
        i++;
      }
    }
    return text.toString();
  }

  private static String directive(ZonedDateTime time, char directive) {
    return switch (directive) {
      case '%' -> "%";
      case 'n' -> "\n";
      case 't' -> "\t";
      case 'Y' -> pattern(time, "yyyy");
      case 'y' -> pattern(time, "yy");
      case 'C' -> two(time.getYear() / 100);
      case 'm' -> pattern(time, "MM");
      case 'B' -> pattern(time, "MMMM");
      case 'b', 'h' -> pattern(time, "MMM");
      case 'd' -> pattern(time, "dd");
      case 'e' -> String.format("%2d", time.getDayOfMonth());
      case 'j' -> pattern(time, "DDD");
      case 'A' -> pattern(time, "EEEE");
      case 'a' -> pattern(time, "EEE");
      case 'u' -> Integer.toString(time.getDayOfWeek().getValue());
      case 'w' -> Integer.toString(time.getDayOfWeek().getValue() % 7);
      case 'U' -> two((time.getDayOfYear() + 6 - time.getDayOfWeek().getValue() % 7) / 7);
      case 'W' -> two((time.getDayOfYear() + 7 - time.getDayOfWeek().getValue()) / 7);
      case 'V' -> two(time.get(java.time.temporal.IsoFields.WEEK_OF_WEEK_BASED_YEAR));
      case 'G' -> Integer.toString(time.get(java.time.temporal.IsoFields.WEEK_BASED_YEAR));
      case 'H' -> pattern(time, "HH");
      case 'I' -> pattern(time, "hh");
      case 'M' -> pattern(time, "mm");
      case 'S' -> pattern(time, "ss");
      case 'f' -> pattern(time, "SSSSSS");
      case 'p' -> time.getHour() < 12 ? "AM" : "PM";
      case 's' -> Long.toString(time.toEpochSecond());
      case 'F' -> format(time, "%Y-%m-%d");
      case 'D', 'x' -> format(time, "%m/%d/%y");
      case 'T', 'X' -> format(time, "%H:%M:%S");
      case 'R' -> format(time, "%H:%M");
      case 'r' -> format(time, "%I:%M:%S %p");
      case 'c' -> format(time, "%a %b %e %H:%M:%S %Y");
      // Python's datetime.now() has no zone.
      case 'z', 'Z' -> "";
      default -> "%" + directive;
    };
  }

  private static String two(int number) {
    return String.format("%02d", number);
  }

  private static String pattern(ZonedDateTime time, String pattern) {
    return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(time);
  }
}
