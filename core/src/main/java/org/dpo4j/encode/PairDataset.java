package org.dpo4j.encode;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.DataEntry;
import org.dpo4j.data.DataFile;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.PairReader;
import org.dpo4j.data.Row;
import org.dpo4j.data.RowOrigin;
import org.jspecify.annotations.Nullable;

/**
 * All usable pairs of some data files in their order, and what became of the others.
 *
 * @param counts every pair of the files by its fate
 * @param ignoredColumns columns of the files that mean nothing here
 * @param description what the rows are, for people
 * @param cutRows the rows whose pairs were cut
 * @param unused pairs that could be used and are not, by reason
 */
public record PairDataset(
    List<EncodedPair> pairs,
    EncodingCounts counts,
    Set<String> ignoredColumns,
    String description,
    Set<RowOrigin> cutRows,
    Map<String, Integer> unused) {
  private static final int CHUNK = 64;

  public PairDataset {
    pairs = List.copyOf(pairs);
    ignoredColumns = Collections.unmodifiableSet(new TreeSet<>(ignoredColumns));
    cutRows = Set.copyOf(cutRows);
    unused = Collections.unmodifiableMap(new LinkedHashMap<>(unused));
  }

  /** The pairs of one file; see {@link #load(DataInput, List, PairEncoder, OnBadRow)}. */
  public static PairDataset load(Path file, PairEncoder encoder, OnBadRow onBadRow) {
    return load(DataInput.of(file), List.of(), encoder, onBadRow);
  }

  /**
   * @param weights the share of each of the input's entries in the mixture; empty for all pairs of
   *     all entries
   * @throws BadRowException the first bad row, if {@code onBadRow} says stop
   * @throws DpoException if a file cannot be read or no pair can be used
   */
  public static PairDataset load(
      DataInput input, List<Double> weights, PairEncoder encoder, OnBadRow onBadRow) {
    List<EncodedPair> pairs = new ArrayList<>();
    Set<RowOrigin> cutRows = new HashSet<>();
    List<Integer> ends = new ArrayList<>();
    Walk walk = new Walk();
    for (DataEntry entry : input.entries()) {
      walk.entry(
          entry,
          input,
          encoder,
          onBadRow,
          row -> {
            row.usable().ifPresent(pairs::add);
            if (row.status() == EncodedRow.Status.CUT) {
              cutRows.add(row.origin());
            }
          });
      ends.add(pairs.size());
    }
    if (pairs.isEmpty()) {
      throw new DpoException(
          "[%s] at least one pair must be usable but none is: %s"
              .formatted(input.paths(), walk.counts().summary()));
    }
    PairDataset all =
        new PairDataset(
            pairs, walk.counts(), walk.ignoredColumns(), walk.description(), cutRows, Map.of());
    return weights.isEmpty() ? all : all.mixed(ends, weights);
  }

  private PairDataset mixed(List<Integer> ends, List<Double> weights) {
    List<Integer> available = new ArrayList<>();
    for (int i = 0; i < ends.size(); i++) {
      available.add(ends.get(i) - (i == 0 ? 0 : ends.get(i - 1)));
    }
    List<Integer> taken = Mixture.take(available, weights);
    List<EncodedPair> mixture = new ArrayList<>();
    for (int i = 0; i < ends.size(); i++) {
      int from = ends.get(i) - available.get(i);
      mixture.addAll(pairs.subList(from, from + taken.get(i)));
    }
    return keep(mixture, "left out for data_weights");
  }

  /** The same rows with some of the pairs only, and why the others are not used. */
  PairDataset keep(List<EncodedPair> some, String reason) {
    Map<String, Integer> more = new LinkedHashMap<>(unused);
    if (some.size() < pairs.size()) {
      more.merge(reason, pairs.size() - some.size(), Integer::sum);
    }
    return new PairDataset(some, counts, ignoredColumns, description, cutRows, more);
  }

  /** Pairs that are used after a cut. */
  public int cut() {
    return (int) pairs.stream().filter(pair -> cutRows.contains(pair.origin())).count();
  }

  /** How many of the pairs came from an entry. */
  public long from(DataEntry entry) {
    Set<String> files = new HashSet<>();
    entry.files().forEach(file -> files.add(file.path().toString()));
    return pairs.stream().filter(pair -> files.contains(pair.origin().file())).count();
  }

  /** What was seen so far: every pair by its fate, the ignored columns, and what the rows are. */
  public record Walk(EncodingCounts counts, Set<String> ignoredColumns, Set<String> descriptions) {
    private Walk() {
      this(new EncodingCounts(), new TreeSet<>(), new LinkedHashSet<>());
    }

    /** What the rows are, for people; "" if that cannot be told. */
    public String description() {
      return String.join("; ", descriptions);
    }

    private void entry(
        DataEntry entry,
        DataInput input,
        PairEncoder encoder,
        OnBadRow onBadRow,
        Consumer<EncodedRow> action) {
      for (DataFile file : entry.files()) {
        try (PairReader reader = PairReader.open(file, input.columns(), input.format())) {
          for (List<Row> rows = chunk(reader); !rows.isEmpty(); rows = chunk(reader)) {
            // Rows are independent of each other, and tokenizing is most of what loading costs.
            List<Result> results =
                rows.parallelStream().map(row -> Result.of(row, encoder)).toList();
            for (Result result : results) {
              result.settle(onBadRow, counts).forEach(action);
            }
          }
          ignoredColumns.addAll(reader.ignoredColumns());
          if (!reader.description().isEmpty()) {
            descriptions.add(reader.description());
          }
        }
      }
    }
  }

  /** The rows of one file; see {@link #forEachRow(DataInput, PairEncoder, OnBadRow, Consumer)}. */
  public static Walk forEachRow(
      Path file, PairEncoder encoder, OnBadRow onBadRow, Consumer<EncodedRow> action) {
    return forEachRow(DataInput.of(file), encoder, onBadRow, action);
  }

  /**
   * Hands over each pair of the files in order, holding 64 rows at a time. A bad row that is
   * skipped is handed over as dropped with its reason, whole: one bad rejected completion makes a
   * row bad.
   *
   * @throws BadRowException the first bad row, if {@code onBadRow} says stop
   */
  public static Walk forEachRow(
      DataInput input, PairEncoder encoder, OnBadRow onBadRow, Consumer<EncodedRow> action) {
    Walk walk = new Walk();
    for (DataEntry entry : input.entries()) {
      walk.entry(entry, input, encoder, onBadRow, action);
    }
    return walk;
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
