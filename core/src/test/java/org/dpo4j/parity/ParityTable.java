package org.dpo4j.parity;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * What was compared with the Python tools: a line for each case, a column for each kind of number,
 * in a cell the largest |x - y| / max(1, |y|), or how many differ where nothing may. The heading
 * says what is allowed.
 */
final class ParityTable {

  private final Map<String, Double> columns = new LinkedHashMap<>(); // with what is allowed
  private final Map<String, Map<String, Double>> cells = new TreeMap<>();

  /** Remembers a comparison, also one that failed; of several in one cell the largest stays. */
  void add(String name, String column, double difference, double allowed) {
    columns.putIfAbsent(column, allowed);
    cells.computeIfAbsent(name, key -> new LinkedHashMap<>()).merge(column, difference, Math::max);
  }

  /** The table in Markdown, lines in the order of their names. */
  String text() {
    StringBuilder text = new StringBuilder("| %-36s |".formatted("case"));
    columns.forEach((name, allowed) -> text.append(" %s %s |".formatted(name, number(allowed))));
    text.append("%n|---|%s%n".formatted("--:|".repeat(columns.size())));
    cells.forEach(
        (name, line) -> {
          text.append("| %-36s |".formatted(name));
          columns.forEach(
              (column, allowed) -> {
                int width = "%s %s".formatted(column, number(allowed)).length();
                String cell = line.containsKey(column) ? number(line.get(column)) : "";
                text.append(" %s%s |".formatted(" ".repeat(width - cell.length()), cell));
              });
          text.append(System.lineSeparator());
        });
    return text.toString();
  }

  private static String number(double value) {
    return value == 0 ? "0" : String.format(Locale.ROOT, "%.0e", value);
  }
}
