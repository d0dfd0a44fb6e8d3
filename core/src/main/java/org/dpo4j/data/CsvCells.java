package org.dpo4j.data;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What the cells of a CSV file mean, which itself knows text only. A cell stays text, also one of
 * digits, with two exceptions: a list of messages written as JSON is read as that, and so is any
 * JSON in a column that never holds text.
 */
final class CsvCells {
  private static final Set<String> NEVER_TEXT =
      Set.of("prompt_ids", "chosen_ids", "rejected_ids", "chat_template_kwargs");

  private static final Pattern LIST_OF_OBJECTS = Pattern.compile("\\s*\\[\\s*\\{");
  private static final Pattern PYTHON_MESSAGES =
      Pattern.compile("\\s*\\[\\s*\\{\\s*'(role|content|from|value)'\\s*:");

  private CsvCells() {}

  static Map<?, ?> read(RowOrigin origin, Map<?, ?> row) {
    Map<Object, @Nullable Object> read = new LinkedHashMap<>();
    row.forEach(
        (name, cell) ->
            read.put(
                name,
                cell instanceof String text ? value(origin, String.valueOf(name), text) : cell));
    return read;
  }

  private static @Nullable Object value(RowOrigin origin, String column, String text) {
    if (NEVER_TEXT.contains(column)) {
      return RowJson.parse(origin, text);
    }
    if (PYTHON_MESSAGES.matcher(text).lookingAt()) {
      throw new BadRowException(
          origin,
          "messages in Python's notation in \"" + column + "\"",
          "they must be JSON, with double quotes; write them with json.dumps, or save the rows as"
              + " .jsonl or .parquet");
    }
    return LIST_OF_OBJECTS.matcher(text).lookingAt()
            && RowJson.valueOrNull(text) instanceof List<?> list
            && list.stream().allMatch(CsvCells::isMessage)
        ? RowJson.parse(origin, text)
        : text;
  }

  private static boolean isMessage(@Nullable Object item) {
    return item instanceof Map<?, ?> fields
        && (fields.containsKey("role") || fields.containsKey("from"));
  }
}
