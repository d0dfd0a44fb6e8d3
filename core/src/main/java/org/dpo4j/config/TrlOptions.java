package org.dpo4j.config;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import org.dpo4j.OptionText;

/**
 * How dpo4j handles options of TRL and transformers that it does not have. The list is in {@code
 * trl-options.txt}, which explains its own format. {@code docs/reference/trl.md} is the same list
 * for people.
 */
final class TrlOptions {
  private static final String RESOURCE = "trl-options.txt";

  private final List<Row> rows;

  private TrlOptions(List<Row> rows) {
    this.rows = rows;
  }

  /**
   * One line of the list.
   *
   * @param heading of the section of the list that contains it
   * @param names the options it is about
   * @param values the values it is about; {@code *} for any
   * @param answer {@code same}, {@code accepted}, {@code refused}, {@code replaced}, {@code local},
   *     {@code each} or {@code as NAME[=VALUE]}
   * @param text why, and what to do; names of options are marked ({@link OptionText})
   */
  public record Row(
      String heading, List<String> names, List<String> values, String answer, String text) {

    boolean matches(String name, String value) {
      return names.contains(name)
          && values.stream().anyMatch(listed -> listed.equals("*") || same(listed, value));
    }
  }

  /** Reads the list. */
  public static TrlOptions load() {
    List<Row> rows = new ArrayList<>();
    String heading = "";
    for (String line : lines()) {
      if (line.startsWith("#")) {
        heading = line.substring(1).strip();
      } else if (!line.isBlank()) {
        String[] cells = line.split(" \\| ", 4);
        rows.add(
            new Row(
                heading,
                List.of(cells[0].split(",")),
                List.of(cells[1].split(",")),
                cells[2],
                OptionText.of(cells[3])));
      }
    }
    return new TrlOptions(List.copyOf(rows));
  }

  private static List<String> lines() {
    try (InputStream stream =
            Objects.requireNonNull(TrlOptions.class.getResourceAsStream(RESOURCE), RESOURCE);
        BufferedReader reader =
            new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
      return reader.lines().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** All lines, in the order of the list. */
  public List<Row> rows() {
    return rows;
  }

  /** Every name of the list, once. */
  public List<String> names() {
    return rows.stream().flatMap(row -> row.names().stream()).distinct().toList();
  }

  /** The line that answers an option with a value. */
  Optional<Row> answer(String name, String value) {
    return rows.stream().filter(row -> row.matches(name, value)).findFirst();
  }

  /** Whether two spellings mean one value: 0 and 0.0, no and false, null and none. */
  private static boolean same(String listed, String value) {
    String word = word(value);
    return listed.equals(word)
        || (listed.equals("no") && word.equals("false"))
        || listed.equals(number(value));
  }

  private static String word(String value) {
    String word = value.strip().toLowerCase(Locale.ROOT);
    return switch (word) {
      case "null", "" -> "none";
      case "yes", "on" -> "true";
      case "no", "off" -> "false";
      default -> word;
    };
  }

  private static String number(String value) {
    try {
      return new BigDecimal(value.strip()).stripTrailingZeros().toPlainString();
    } catch (NumberFormatException e) {
      return value;
    }
  }

  /** Splits {@code as NAME=VALUE}; the value is the given one where the line has none. */
  static List<String> renamed(Row row, String value) {
    String[] parts = row.answer().substring("as ".length()).split("=", 2);
    return Arrays.asList(parts[0], parts.length == 2 ? parts[1] : value);
  }
}
