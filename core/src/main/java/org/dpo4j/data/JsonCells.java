package org.dpo4j.data;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Parses columns that hold JSON as text: messages in any file and, in tables (whose cells are all
 * text), the columns that never hold plain text. Every other cell stays text, even if it is all
 * digits.
 */
final class JsonCells {
  private static final Set<String> NEVER_TEXT =
      Set.of("prompt_ids", "chosen_ids", "rejected_ids", "completion_ids", "chat_template_kwargs");

  private static final Set<String> MESSAGES =
      Set.of("prompt", "chosen", "rejected", "completion", "messages", "conversations");

  private static final Pattern OBJECTS = Pattern.compile("\\s*(\\[\\s*)?\\{");
  private static final Pattern PYTHON_MESSAGES =
      Pattern.compile("\\s*(\\[\\s*)?\\{\\s*'(role|content|from|value)'\\s*:");

  private JsonCells() {}

  /**
   * The row with these columns parsed.
   *
   * @param untyped whether the row comes from a format without types
   */
  static Map<?, ?> read(RowOrigin origin, Map<?, ?> row, boolean untyped) {
    Map<Object, @Nullable Object> read = new LinkedHashMap<>();
    boolean changed = false;
    for (Map.Entry<?, ?> column : row.entrySet()) {
      String name = String.valueOf(column.getKey());
      Object value = column.getValue();
      if (value instanceof String text) {
        value =
            untyped && NEVER_TEXT.contains(name)
                ? RowJson.parse(origin, text)
                : MESSAGES.contains(name) ? messages(origin, name, text) : text;
        changed |= value != text;
      }
      read.put(name, value);
    }
    return changed ? read : row;
  }

  private static Object messages(RowOrigin origin, String column, String text) {
    if (PYTHON_MESSAGES.matcher(text).lookingAt()) {
      throw new BadRowException(
          origin,
          "messages in Python's notation in \"" + column + "\"",
          "they must be JSON, with double quotes; write them with json.dumps, or save the rows as"
              + " .jsonl or .parquet");
    }
    if (!OBJECTS.matcher(text).lookingAt()) {
      return text;
    }
    Object value = RowJson.valueOrNull(text);
    boolean messages =
        value instanceof List<?> list
            ? list.stream().allMatch(JsonCells::isMessage)
            : isMessage(value);
    return messages && value != null ? value : text;
  }

  private static boolean isMessage(@Nullable Object item) {
    return item instanceof Map<?, ?> fields
        && (fields.containsKey("role") || fields.containsKey("from"));
  }
}
