package org.dpo4j.data;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.jspecify.annotations.Nullable;

/**
 * Maps the column names of files to the names used here. A column that is not mapped keeps its
 * name, unless a mapped column takes that name: then it is left out.
 *
 * @param sources from the name used here to the name in the files
 */
public record ColumnMapping(Map<String, String> sources) {

  /** The column names used here. */
  public static final List<String> NAMES =
      List.of(
          "prompt",
          "chosen",
          "rejected",
          "prompt_ids",
          "chosen_ids",
          "rejected_ids",
          "tools",
          "chat_template_kwargs",
          "weight",
          "margin",
          "score_chosen",
          "score_rejected",
          "instruction",
          "input",
          "history",
          "system",
          "question",
          "conversations",
          "messages");

  /** Every column keeps its name. */
  public static final ColumnMapping NONE = new ColumnMapping(Map.of());

  public ColumnMapping {
    sources = Collections.unmodifiableMap(new LinkedHashMap<>(sources));
    if (new LinkedHashSet<>(sources.values()).size() < sources.size()) {
      throw new IllegalArgumentException("one column is mapped twice: " + sources);
    }
  }

  /** The row with its columns renamed. */
  Map<?, ?> apply(Map<?, ?> row) {
    if (sources.isEmpty()) {
      return row;
    }
    Map<String, String> names = new LinkedHashMap<>();
    sources.forEach((name, source) -> names.put(source, name));
    Map<Object, @Nullable Object> renamed = new LinkedHashMap<>();
    row.forEach(
        (column, value) -> {
          if (names.containsKey(column)) {
            renamed.put(names.get(column), value);
          } else if (!sources.containsKey(column)) {
            renamed.put(column, value);
          }
        });
    return renamed;
  }

  /** Columns of the row that are left out because a mapped column has taken their name. */
  Set<String> hidden(Map<?, ?> row) {
    Set<String> hidden = new LinkedHashSet<>(sources.keySet());
    hidden.removeAll(sources.values());
    hidden.retainAll(row.keySet());
    return hidden;
  }

  /**
   * Checks that the first row of a file has the mapped columns.
   *
   * @throws DpoException if one is missing
   */
  void require(RowOrigin origin, Map<?, ?> row) {
    sources.forEach(
        (name, source) -> {
          if (!row.containsKey(source)) {
            throw new DpoException(
                OptionText.of(
                    "%s {columns} %s=%s needs a column \"%s\" but the first row has %s;"
                        + " check the spelling, or leave the column out of {columns}",
                    origin, name, source, source, quoted(row.keySet())));
          }
        });
  }

  private static String quoted(Collection<?> names) {
    List<String> shown = new ArrayList<>();
    names.stream().limit(20).forEach(name -> shown.add("\"" + name + "\""));
    return shown.isEmpty() ? "no column" : String.join(", ", shown);
  }

  /** As in {@code prompt from "question", chosen from "good"}. */
  @Override
  public String toString() {
    return sources.entrySet().stream()
        .map(entry -> "%s from \"%s\"".formatted(entry.getKey(), entry.getValue()))
        .collect(Collectors.joining(", "));
  }
}
