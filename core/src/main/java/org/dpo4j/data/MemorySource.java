package org.dpo4j.data;

import java.util.Iterator;
import java.util.Map;
import java.util.Optional;

/** Rows in memory, each a map from column names to JSON values as plain Java. */
final class MemorySource implements RowSource {

  private final Iterator<? extends Map<String, ?>> rows;

  MemorySource(Iterator<? extends Map<String, ?>> rows) {
    this.rows = rows;
  }

  /** A row located by its number, since it has no line. */
  private record MemoryRow(Map<String, ?> values) implements RawRow {
    @Override
    public int line() {
      return 0;
    }

    @Override
    public Map<?, ?> columns(RowOrigin origin) {
      return values;
    }
  }

  @Override
  public Optional<MemoryRow> next() {
    return rows.hasNext() ? Optional.of(new MemoryRow(rows.next())) : Optional.empty();
  }

  @Override
  public void close() {}
}
