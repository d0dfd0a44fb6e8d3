package org.dpo4j.data;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.dpo4j.ExampleKind;
import org.dpo4j.UsageException;

/**
 * The files that one data set is read from, in order.
 *
 * @param entries at least one
 * @param columns the column names of the files
 * @param format how rows are interpreted
 * @param kind of the examples
 * @param margins whether the loss reads the margins of pairs
 * @param maxRows rows of each entry that are used, in their order; 0 for all
 */
public record DataInput(
    List<DataEntry> entries,
    ColumnMapping columns,
    RowFormat format,
    ExampleKind kind,
    boolean margins,
    int maxRows) {

  public DataInput {
    entries = List.copyOf(entries);
    if (entries.isEmpty()) {
      throw new IllegalArgumentException("no entry");
    }
  }

  /** Preference pairs. */
  public DataInput(List<DataEntry> entries, ColumnMapping columns, RowFormat format) {
    this(entries, columns, format, ExampleKind.PAIRS, false, 0);
  }

  /** The same files, read as examples of the kind that the columns of the first row tell. */
  public DataInput readingWhatItIs() {
    return reading(KindOfRows.of(this), false);
  }

  /** The same files, read as examples of another kind, with or without margins. */
  public DataInput reading(ExampleKind other, boolean withMargins) {
    return new DataInput(entries, columns, format, other, withMargins, maxRows);
  }

  /** The same files, of which each entry is used up to a number of rows; 0 for all. */
  public DataInput limited(int rows) {
    return new DataInput(entries, columns, format, kind, margins, rows);
  }

  /**
   * A single file whose columns have the names used here; throws {@link UsageException} if it does
   * not exist.
   */
  public static DataInput of(Path file) {
    return of(file, RowFormat.AUTO);
  }

  /** The same with a given row format. */
  public static DataInput of(Path file, RowFormat format) {
    return new DataInput(
        List.of(new DataEntry(file, List.of(DataFile.of(file)), List.of())),
        ColumnMapping.NONE,
        format);
  }

  /**
   * Rows in memory, checked like the rows of a file.
   *
   * @param name takes the place of a file's path in messages, as in {@code [memory row 17]}
   * @param rows maps from column names to JSON values as plain Java; iterated once for each use
   */
  public static DataInput inMemory(String name, Iterable<? extends Map<String, ?>> rows) {
    return inMemory(name, rows, false);
  }

  /**
   * The same rows from a source that may have no types.
   *
   * @param untyped whether every value is text, as in a CSV file
   */
  public static DataInput inMemory(
      String name, Iterable<? extends Map<String, ?>> rows, boolean untyped) {
    return new DataInput(
        List.of(
            new DataEntry(
                Path.of(name), List.of(DataFile.inMemory(name, rows, untyped)), List.of())),
        ColumnMapping.NONE,
        RowFormat.AUTO);
  }

  /** The same files, whose columns have other names and whose rows are interpreted as given. */
  public DataInput named(ColumnMapping names, RowFormat rowFormat) {
    return new DataInput(entries, names, rowFormat, kind, margins, maxRows);
  }

  /** The number of files. */
  public int files() {
    return entries.stream().mapToInt(entry -> entry.files().size()).sum();
  }

  /** The entries as the user wrote them. */
  public String paths() {
    return entries.stream().map(entry -> entry.path().toString()).collect(Collectors.joining(", "));
  }

  /** The entries with their formats. */
  @Override
  public String toString() {
    return entries.stream().map(DataEntry::toString).collect(Collectors.joining(", "));
  }
}
