package org.dpo4j.data;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The columns of one row with its origin; reads typed values and reports what is wrong with them.
 *
 * @param first whether no earlier row could be read, so that the file may use other column names
 */
record RowFields(RowOrigin origin, Map<?, ?> values, boolean first) {

  boolean has(String column) {
    return values.containsKey(column);
  }

  @Nullable Object get(String column) {
    return values.get(column);
  }

  /** A required value. */
  Object present(String column) {
    Object value = values.get(column);
    if (value == null) {
      throw has(column)
          ? bad("null in field \"" + column + "\"", "found " + listed(values))
          : missing(column);
    }
    return value;
  }

  /** A required string. */
  String text(String column) {
    if (!(present(column) instanceof String text)) {
      throw wrongType(column, "a string");
    }
    return text;
  }

  /** An optional string: "" if the column is absent or null. */
  String optionalText(String column) {
    return values.get(column) == null ? "" : text(column);
  }

  /**
   * A required number, or a text that is one: formats without types have no numbers. It may be NaN
   * or infinite.
   *
   * @param reason of a row with another text
   */
  double number(String column, String reason) {
    Object value = present(column);
    if (value instanceof Number number) {
      return number.doubleValue();
    }
    if (!(value instanceof String text)) {
      throw wrongType(column, "a number");
    }
    if (text.length() > BoundedJson.NUMBER) {
      throw bad(reason, "it is a text, not a number");
    }
    try {
      return new BigDecimal(text.strip()).doubleValue();
    } catch (NumberFormatException e) {
      throw bad(reason, "it is \"%s\"".formatted(text));
    }
  }

  /** A required list. */
  List<?> list(String column) {
    if (!(present(column) instanceof List<?> list)) {
      throw wrongType(column, "a list");
    }
    return list;
  }

  BadRowException wrongType(String column, String rule) {
    return bad(
        "wrong type of field \"" + column + "\"",
        "must be %s but is %s".formatted(rule, JsonKind.of(values.get(column))));
  }

  BadRowException missing(String column) {
    return bad(
        "missing field \"" + column + "\"",
        "found " + listed(values) + (first ? "; " + ColumnHint.of(column, values) : ""));
  }

  /** The names of all fields, for messages. */
  String names() {
    return String.join(", ", values.keySet().stream().map(String::valueOf).sorted().toList());
  }

  BadRowException bad(String reason, String detail) {
    return new BadRowException(origin, reason, detail);
  }

  /** The fields with their types, as in {@code "prompt" (a string), "score" (a number)}. */
  static String listed(Map<?, ?> fields) {
    if (fields.isEmpty()) {
      return "no fields";
    }
    List<String> shown = new ArrayList<>();
    fields.forEach((key, value) -> shown.add("\"%s\" (%s)".formatted(key, JsonKind.of(value))));
    return ShortList.of(shown, 12);
  }
}
