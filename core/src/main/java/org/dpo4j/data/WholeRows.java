package org.dpo4j.data;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.jspecify.annotations.Nullable;

/** Reads the rows of a file with all their columns, to be written again. */
public final class WholeRows {

  private WholeRows() {}

  /** Takes a row. */
  public interface Action {
    /**
     * @param origin of the row
     * @param columns in their order, as plain Java; null for a row that cannot be read
     */
    void take(RowOrigin origin, @Nullable Map<String, @Nullable Object> columns);
  }

  /**
   * Passes on all rows, in order.
   *
   * @throws DpoException if the file cannot be read to its end
   */
  public static void forEach(Path file, Action action) {
    try (FileRows rows = FileRows.open(file)) {
      boolean more = true;
      for (int number = 1; more; number++) {
        try {
          Optional<RowFields> row = rows.next();
          more = row.isPresent();
          row.ifPresent(fields -> action.take(fields.origin(), columns(fields)));
        } catch (BadRowException e) {
          action.take(new RowOrigin(file.toString(), 0, number), null);
        }
      }
    }
  }

  private static Map<String, @Nullable Object> columns(RowFields row) {
    Map<String, @Nullable Object> columns = new LinkedHashMap<>();
    row.values().forEach((name, value) -> columns.put(String.valueOf(name), value));
    return columns;
  }
}
