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
import org.dpo4j.ExampleKind;
import org.dpo4j.Interruption;
import org.dpo4j.UsageException;

/**
 * Reads examples from one file: {@code .jsonl} (an object per line), {@code .json} (an array of
 * objects), {@code .csv} and {@code .tsv} (the first line names the columns), each also as {@code
 * .gz} or {@code .zst}, in UTF-8; or {@code .parquet}. Memory holds one row at a time; for Parquet,
 * one page of each column.
 *
 * <p>The accepted rows are described in {@code docs/reference/data-shapes.md}.
 */
public final class ExampleReader implements AutoCloseable {
  private final DataFile file;
  private final ColumnMapping columns;
  private final RowSource source;
  private final RowParser parser;
  private final Set<String> hiddenColumns = new TreeSet<>();
  private boolean mapped;
  private int rows;

  private ExampleReader(
      DataFile file,
      ColumnMapping columns,
      RowSource source,
      RowFormat format,
      ExampleKind kind,
      boolean margins) {
    this.file = file;
    this.columns = columns;
    this.source = source;
    this.parser = new RowParser(format, kind, file.format().untyped(), margins);
  }

  /** Preference pairs; the first row decides how all rows are read. */
  public static ExampleReader open(Path path) {
    return open(path, RowFormat.AUTO);
  }

  /** Preference pairs of a file whose columns have the names used here. */
  public static ExampleReader open(Path path, RowFormat format) {
    return open(DataFile.of(path), ColumnMapping.NONE, format);
  }

  /** Preference pairs of a file. */
  public static ExampleReader open(DataFile file, ColumnMapping columns, RowFormat format) {
    return open(file, columns, format, ExampleKind.PAIRS, false);
  }

  /**
   * Opens a file and reads its header, if its format has one.
   *
   * @param margins whether the loss reads the margins of pairs
   * @throws UsageException if there is no such file
   * @throws DpoException if it cannot be read or is malformed
   */
  public static ExampleReader open(
      DataFile file, ColumnMapping columns, RowFormat format, ExampleKind kind, boolean margins) {
    try {
      return new ExampleReader(file, columns, file.open(), format, kind, margins);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  /** Opens an input that is a single file, or rows in memory. */
  public static ExampleReader open(DataInput input) {
    if (input.files() != 1) {
      throw new IllegalArgumentException("not one file but " + input.files());
    }
    return open(
        input.entries().get(0).files().get(0),
        input.columns(),
        input.format(),
        input.kind(),
        input.margins());
  }

  /**
   * The next row, or empty after the last one.
   *
   * @throws DpoException if the file is truncated or empty, has a refused column, or lacks a mapped
   *     one or that of the margins
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

  /**
   * Reads the remaining rows without looking into them.
   *
   * @return their number
   * @throws DpoException if the file is truncated
   */
  public int skipRest() {
    int skipped = 0;
    try {
      while (source.next().isPresent()) {
        skipped++;
      }
    } catch (IOException e) {
      throw unreadable(file, e);
    }
    return skipped;
  }

  /**
   * Counts the rows of all files without looking into them.
   *
   * @throws DpoException if a file is truncated
   */
  public static int count(DataInput input) {
    int rows = 0;
    for (DataEntry entry : input.entries()) {
      for (DataFile file : entry.files()) {
        try (ExampleReader reader =
            open(file, input.columns(), input.format(), input.kind(), input.margins())) {
          rows += reader.skipRest();
        }
      }
    }
    return rows;
  }

  /** Passes on all remaining rows, in order. */
  public void forEach(Consumer<Row> action) {
    for (Optional<Row> row = next(); row.isPresent(); row = next()) {
      action.accept(row.get());
    }
  }

  /** Ignored columns of the rows read so far. */
  public Set<String> ignoredColumns() {
    Set<String> ignored = new TreeSet<>(parser.ignoredColumns());
    ignored.addAll(hiddenColumns);
    return Collections.unmodifiableSet(ignored);
  }

  /** A description of the rows; "" before the first usable row. */
  public String description() {
    return parser.description();
  }

  /** The form in which a model sees the rows; empty before the first usable row. */
  public Optional<RowForm> form() {
    return parser.form();
  }

  /**
   * Ignored columns with content that other shapes of rows would put into the prompt, each with the
   * first row that has content.
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

  /** The row under the names used here. */
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
