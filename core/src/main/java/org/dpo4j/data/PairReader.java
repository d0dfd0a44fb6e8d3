package org.dpo4j.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.Interruption;
import org.dpo4j.UsageException;

/**
 * Reads preference pairs from one file: {@code .jsonl} (an object per line), {@code .json} (an
 * array of objects), {@code .csv} and {@code .tsv} (the first line names the columns), each also as
 * {@code .gz} or {@code .zst}, in UTF-8; or {@code .parquet}. One row is in memory at a time, of a
 * Parquet file one page of each column.
 *
 * <p>What a row may look like is in {@code docs/reference/data-shapes.md}.
 */
public final class PairReader implements AutoCloseable {
  private final DataFile file;
  private final ColumnMapping columns;
  private final RowSource source;
  private final RowParser parser;
  private final Set<String> hiddenColumns = new TreeSet<>();
  private boolean mapped;
  private int rows;

  private PairReader(DataFile file, ColumnMapping columns, RowSource source, RowFormat format) {
    this.file = file;
    this.columns = columns;
    this.source = source;
    this.parser = new RowParser(format, file.format().untyped());
  }

  /** Rows are read as the first of them shows. */
  public static PairReader open(Path path) {
    return open(path, RowFormat.AUTO);
  }

  /** A file whose columns have the names here. */
  public static PairReader open(Path path, RowFormat format) {
    return open(DataFile.of(path), ColumnMapping.NONE, format);
  }

  /**
   * Opens a file and reads its head, if its format has one.
   *
   * @throws UsageException if there is no such file
   * @throws DpoException if it cannot be read or is not of its format
   */
  public static PairReader open(DataFile file, ColumnMapping columns, RowFormat format) {
    try {
      return new PairReader(file, columns, file.open(), format);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  /**
   * The next row, or empty after the last one.
   *
   * @throws DpoException if the file is cut short, holds no row at all, has a refused column or
   *     lacks a mapped one
   */
  public Optional<Row> next() {
    Optional<? extends RowSource.RawRow> raw;
    try {
      raw = source.next();
    } catch (IOException e) {
      throw unreadable(file, e);
    }
    if (raw.isEmpty() && rows == 0) {
      throw new DpoException(
          "[%s] a data file must hold at least one row but this one holds none"
              .formatted(file.path()));
    }
    return raw.map(this::row);
  }

  /** Hands over all rows that are left, in order. */
  public void forEach(Consumer<Row> action) {
    for (Optional<Row> row = next(); row.isPresent(); row = next()) {
      action.accept(row.get());
    }
  }

  /** Columns without a meaning here that the rows read so far had. */
  public Set<String> ignoredColumns() {
    Set<String> ignored = new TreeSet<>(parser.ignoredColumns());
    ignored.addAll(hiddenColumns);
    return Collections.unmodifiableSet(ignored);
  }

  /** What the rows are, as their columns or the format say; "" before the first usable row. */
  public String description() {
    return parser.description();
  }

  /** What the rows are to a model; empty before the first usable row. */
  public Optional<RowForm> form() {
    return parser.form();
  }

  /**
   * Columns that belong to a prompt in other rows, are ignored in these and hold something, with
   * the first row in which they do.
   */
  public Map<String, RowOrigin> lostColumns() {
    return parser.lostColumns();
  }

  @Override
  public void close() {
    try {
      source.close();
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private Row row(RowSource.RawRow raw) {
    RowOrigin origin = new RowOrigin(file.path().toString(), raw.line(), ++rows);
    try {
      return Row.good(origin, parser.parse(origin, columns(origin, raw)));
    } catch (BadRowException problem) {
      return Row.bad(origin, problem);
    }
  }

  /** The row's columns under the names here. */
  private Map<?, ?> columns(RowOrigin origin, RowSource.RawRow raw) {
    Map<?, ?> found = raw.columns(origin);
    if (!mapped) {
      columns.require(origin, found);
      mapped = true;
    }
    hiddenColumns.addAll(columns.hidden(found));
    return columns.apply(found);
  }

  private static DpoException unreadable(DataFile file, IOException e) {
    if (Interruption.caused(e)) {
      return new DpoException("[%s] %s".formatted(file.path(), Interruption.REASON), e);
    }
    String found = e.getMessage() == null ? "it ends too early" : e.getMessage();
    return new DpoException(
        "[%s] the file must be readable to its end but was not: %s; copy or pack it again"
            .formatted(file.path(), found),
        e);
  }
}
