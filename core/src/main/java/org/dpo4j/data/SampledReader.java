package org.dpo4j.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.jspecify.annotations.Nullable;

/**
 * Reads the rows that {@code sample} writes, one at a time. A row of another tool will do: {@code
 * prompt}, a text or a list of messages, and {@code completions}, a list of texts or of objects
 * with a {@code text}.
 */
public final class SampledReader implements AutoCloseable {
  private static final List<String> PLACE = List.of("file", "row", "line");

  private final FileRows rows;

  private SampledReader(FileRows rows) {
    this.rows = rows;
  }

  /**
   * Opens a file in a format of rows.
   *
   * @throws DpoException if it cannot be read
   */
  public static SampledReader open(Path path) {
    return new SampledReader(FileRows.open(path));
  }

  /**
   * The next row, or empty at the end.
   *
   * @throws DpoException if the file cannot be read to its end
   * @throws BadRowException if a row is malformed
   */
  public Optional<SampledPrompt> next() {
    return rows.next().map(SampledReader::read);
  }

  private static SampledPrompt read(RowFields row) {
    Map<String, @Nullable Object> place = new LinkedHashMap<>();
    for (String name : PLACE) {
      if (row.get(name) != null) {
        place.put(name, row.get(name));
      }
    }
    List<SampledPrompt.Completion> completions = new ArrayList<>();
    for (Object completion : row.list("completions")) {
      completions.add(completion(row, completions.size(), completion));
    }
    if (completions.isEmpty()) {
      throw row.bad("no completions", "\"completions\" must hold at least one");
    }
    return new SampledPrompt(row.origin(), prompt(row), place, columns(row), completions);
  }

  private static SampledPrompt.Prompt prompt(RowFields row) {
    Object prompt = row.present("prompt");
    if (prompt instanceof List<?> turns && !turns.isEmpty()) {
      return new SampledPrompt.Prompt(null, MessageReader.all(row, "prompt", turns));
    }
    if (prompt instanceof String text) {
      return new SampledPrompt.Prompt(text, List.of());
    }
    throw row.wrongType("prompt", "a text or a list of messages");
  }

  private static Map<String, @Nullable Object> columns(RowFields row) {
    Map<String, @Nullable Object> columns = new LinkedHashMap<>();
    Object nested = row.get("columns");
    if (nested instanceof Map<?, ?> own) {
      own.forEach((name, value) -> columns.put(String.valueOf(name), value));
    } else if (nested != null) {
      throw row.wrongType("columns", "an object");
    }
    return columns;
  }

  private static SampledPrompt.Completion completion(
      RowFields row, int number, @Nullable Object value) {
    if (value instanceof String text) {
      return new SampledPrompt.Completion(number, text, -1);
    }
    if (value instanceof Map<?, ?> fields && fields.get("text") instanceof String text) {
      int tokens = fields.get("tokens") instanceof Integer count ? count : -1;
      return new SampledPrompt.Completion(number, text, tokens);
    }
    throw row.bad(
        "completion without text",
        "completion %d must be a text, or an object with a \"text\", but is %s"
            .formatted(number + 1, JsonKind.of(value)));
  }

  @Override
  public void close() {
    rows.close();
  }
}
