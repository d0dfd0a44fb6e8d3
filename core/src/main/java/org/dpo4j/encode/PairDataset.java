package org.dpo4j.encode;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.PairReader;
import org.dpo4j.data.Row;
import org.dpo4j.data.RowFormat;
import org.jspecify.annotations.Nullable;

/**
 * All usable pairs of a data file in its order, and what became of the others.
 *
 * @param counts every pair of the file by its fate
 * @param ignoredColumns columns of the file that mean nothing here
 * @param description what its rows are, for people
 */
public record PairDataset(
    List<EncodedPair> pairs,
    EncodingCounts counts,
    Set<String> ignoredColumns,
    String description) {
  private static final int CHUNK = 64;

  public PairDataset {
    pairs = List.copyOf(pairs);
    ignoredColumns = Collections.unmodifiableSet(new TreeSet<>(ignoredColumns));
  }

  /** The rows of the file are read as the first of them shows. */
  public static PairDataset load(Path file, PairEncoder encoder, OnBadRow onBadRow) {
    return load(file, RowFormat.AUTO, encoder, onBadRow);
  }

  /**
   * @throws BadRowException the first bad row, if {@code onBadRow} says stop
   * @throws DpoException if the file cannot be read or no pair of it can be used
   */
  public static PairDataset load(
      Path file, RowFormat format, PairEncoder encoder, OnBadRow onBadRow) {
    List<EncodedPair> pairs = new ArrayList<>();
    Walk walk =
        forEachRow(file, format, encoder, onBadRow, row -> row.usable().ifPresent(pairs::add));
    if (pairs.isEmpty()) {
      throw new DpoException(
          "[%s] at least one pair must be usable but none is: %s"
              .formatted(file, walk.counts().summary()));
    }
    return new PairDataset(pairs, walk.counts(), walk.ignoredColumns(), walk.description());
  }

  /**
   * What {@link #forEachRow} saw: every pair by its fate, the columns it ignored, and what the rows
   * are.
   */
  public record Walk(EncodingCounts counts, Set<String> ignoredColumns, String description) {}

  /** The rows of the file are read as the first of them shows. */
  public static Walk forEachRow(
      Path file, PairEncoder encoder, OnBadRow onBadRow, Consumer<EncodedRow> action) {
    return forEachRow(file, RowFormat.AUTO, encoder, onBadRow, action);
  }

  /**
   * Hands over each pair of the file in order, holding 64 rows at a time. A bad row that is skipped
   * is handed over as dropped with its reason, whole: one bad rejected completion makes a row bad.
   *
   * @throws BadRowException the first bad row, if {@code onBadRow} says stop
   */
  public static Walk forEachRow(
      Path file,
      RowFormat format,
      PairEncoder encoder,
      OnBadRow onBadRow,
      Consumer<EncodedRow> action) {
    EncodingCounts counts = new EncodingCounts();
    try (PairReader reader = PairReader.open(file, format)) {
      for (List<Row> rows = chunk(reader); !rows.isEmpty(); rows = chunk(reader)) {
        // Rows are independent of each other, and tokenizing is most of what loading costs.
        for (Result result : rows.parallelStream().map(row -> Result.of(row, encoder)).toList()) {
          result.settle(onBadRow, counts).forEach(action);
        }
      }
      return new Walk(counts, new TreeSet<>(reader.ignoredColumns()), reader.description());
    }
  }

  private static List<Row> chunk(PairReader reader) {
    List<Row> rows = new ArrayList<>(CHUNK);
    for (int i = 0; i < CHUNK; i++) {
      Optional<Row> row = reader.next();
      if (row.isEmpty()) {
        break;
      }
      rows.add(row.get());
    }
    return rows;
  }

  private record Result(Row row, List<EncodedRow> encoded, @Nullable RuntimeException problem) {

    static Result of(Row row, PairEncoder encoder) {
      try {
        return new Result(row, row.pairsOrThrow().stream().map(encoder::encode).toList(), null);
      } catch (RuntimeException problem) {
        // Kept until all rows of the chunk are done: thrown here, it would let the caller close the
        // native tokenizer under the other threads. And the first bad row is the one reported.
        return new Result(row, List.of(), problem);
      }
    }

    List<EncodedRow> settle(OnBadRow onBadRow, EncodingCounts counts) {
      if (problem == null) {
        encoded.forEach(counts::count);
        return encoded;
      }
      if (onBadRow == OnBadRow.SKIP && problem instanceof BadRowException bad) {
        counts.countBad(row.origin(), bad);
        return List.of(EncodedRow.skipped(row.origin(), bad));
      }
      throw problem;
    }
  }
}
