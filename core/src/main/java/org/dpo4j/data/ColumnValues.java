package org.dpo4j.data;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.options.Suggestion;
import org.jspecify.annotations.Nullable;

/** The values of further columns, as texts, for every row of some files. */
public final class ColumnValues {

  /** Of a row that has no such column, or null in it. */
  public static final String NONE = "none";

  private static final int LONGEST = 60;

  private final List<String> columns;
  private final Map<String, List<String[]>> byFile = new HashMap<>();
  private final Map<String, String> distinct = new HashMap<>();
  private final Set<String> seen = new TreeSet<>();

  private ColumnValues(List<String> columns) {
    this.columns = columns;
  }

  /**
   * Reads all rows once; a row takes 8 bytes for each column, and each distinct value its text.
   *
   * @param option that names the columns, for messages
   * @throws UsageException if no row has a column
   * @throws DpoException if a file cannot be read
   */
  public static ColumnValues read(String option, DataInput input, List<String> columns) {
    ColumnValues values = new ColumnValues(List.copyOf(columns));
    if (columns.isEmpty()) {
      return values;
    }
    for (DataEntry entry : input.entries()) {
      for (DataFile file : entry.files()) {
        values.read(file);
      }
    }
    for (String column : columns) {
      if (!values.seen.contains(column)) {
        throw new UsageException(
            option,
            "must name columns of the data",
            "%s is in no row".formatted(column),
            Suggestion.nearest(column, values.seen)
                .map("did you mean %s?"::formatted)
                .orElse("there are " + String.join(", ", values.seen)));
      }
    }
    return values;
  }

  private void read(DataFile file) {
    List<String[]> rows = byFile.computeIfAbsent(file.path().toString(), name -> new ArrayList<>());
    try (RowSource source = file.open()) {
      for (Optional<? extends RowSource.RawRow> row = source.next();
          row.isPresent();
          row = source.next()) {
        rows.add(values(row.get(), new RowOrigin(file.path().toString(), 0, rows.size() + 1)));
      }
    } catch (IOException e) {
      throw new DpoException(
          "[%s] cannot be read: %s".formatted(file.path(), FileFailure.reason(e, file.path())), e);
    }
  }

  private String[] values(RowSource.RawRow row, RowOrigin origin) {
    Map<?, ?> found;
    try {
      found = row.columns(origin);
    } catch (BadRowException e) {
      found = Map.of(); // reported where the row is used
    }
    found.keySet().forEach(name -> seen.add(String.valueOf(name)));
    String[] values = new String[columns.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = distinct.computeIfAbsent(text(found.get(columns.get(i))), same -> same);
    }
    return values;
  }

  /** A value as a text of bounded length. */
  public static String text(@Nullable Object value) {
    String text = value == null ? NONE : String.valueOf(value);
    return text.length() > LONGEST ? text.substring(0, LONGEST) + "..." : text;
  }

  /**
   * The value of a column in a row.
   *
   * @param column index of the column
   */
  public String at(RowOrigin origin, int column) {
    return byFile.getOrDefault(origin.file(), List.of()).get(origin.row() - 1)[column];
  }
}
