package org.dpo4j.options;

import java.lang.management.ManagementFactory;
import java.math.BigDecimal;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.UsageException;

/** Parses and formats amounts of memory. */
public final class MemorySize {

  private static final Pattern SIZE = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([kmgt]i?b?|b)?");

  private static final Map<Character, Integer> POWERS = Map.of('k', 1, 'm', 2, 'g', 3, 't', 4);

  private MemorySize() {}

  /** Parses amounts such as {@code 8GB}, {@code 7.5GiB} or a plain number of bytes. */
  public static long parse(String text) {
    Matcher matcher = SIZE.matcher(text.strip().toLowerCase(Locale.ROOT));
    if (!matcher.matches()) {
      throw wrong(text);
    }
    String unit = matcher.group(2) == null ? "b" : matcher.group(2);
    int power = POWERS.getOrDefault(unit.charAt(0), 0);
    BigDecimal base = BigDecimal.valueOf(unit.contains("i") ? 1024 : 1000);
    BigDecimal bytes = new BigDecimal(matcher.group(1)).multiply(base.pow(power));
    if (bytes.signum() <= 0 || bytes.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
      throw wrong(text);
    }
    return bytes.longValue();
  }

  private static UsageException wrong(String text) {
    return new UsageException(
        "memory",
        "must be an amount with its unit, as 8GB or 7.5GiB,",
        "was %s".formatted(text),
        "");
  }

  /** The amount for display, in B, kB, MB or GB. */
  public static String text(long bytes) {
    if (0 < bytes && bytes < 1e6) {
      return bytes < 1e3
          ? bytes + " B"
          : String.format(Locale.ROOT, "%.0f kB", Math.min(999, bytes / 1e3));
    }
    return bytes < 1e9
        ? String.format(Locale.ROOT, "%.0f MB", bytes / 1e6)
        : String.format(Locale.ROOT, "%.2f GB", bytes / 1e9);
  }

  /** The memory of the machine, or of the container. */
  public static long ofMachine() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getTotalMemorySize()
        : Runtime.getRuntime().maxMemory();
  }
}
