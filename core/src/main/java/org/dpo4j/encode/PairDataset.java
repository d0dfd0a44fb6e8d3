package org.dpo4j.encode;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.DataEntry;
import org.dpo4j.data.DataFile;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.PairReader;
import org.dpo4j.data.Row;
import org.dpo4j.data.RowForm;
import org.dpo4j.data.RowOrigin;
import org.jspecify.annotations.Nullable;

/**
 * All usable pairs of some data files in order, with counts of the others.
 *
 * @param pairs the pairs, on disk; closed with the data set
 * @param readSummary counts and columns seen while reading
 * @param unused usable pairs that are left out, by reason
 */
public record PairDataset(EncodedPairs pairs, ReadSummary readSummary, Map<String, Integer> unused)
    implements AutoCloseable {
  // Size of a task: enough rows to be worth a hand-over, and little enough text for the caches.
  private static final int PIECE_ROWS = 16;
  private static final long PIECE_CHARACTERS = 1 << 16;

  public PairDataset {
    unused = Collections.unmodifiableMap(new LinkedHashMap<>(unused));
  }

  /** Counts of every pair of the files by result. */
  public EncodingCounts counts() {
    return readSummary.counts();
  }

  /** The pairs of one file; see {@link #load(DataInput, List, PairEncoder, OnBadRow)}. */
  public static PairDataset load(Path file, PairEncoder encoder, OnBadRow onBadRow) {
    return load(DataInput.of(file), List.of(), encoder, onBadRow);
  }

  /**
   * Uses all cores and the folder for temporary files; see {@link #load(DataInput, List,
   * PairEncoder, OnBadRow, EncodingMeans)}.
   */
  public static PairDataset load(
      DataInput input, List<Double> weights, PairEncoder encoder, OnBadRow onBadRow) {
    return load(input, weights, encoder, onBadRow, EncodingResources.ofMachine());
  }

  /**
   * @param weights the weight of each of the input's entries in the mixture; empty for all pairs of
   *     all entries
   * @throws BadRowException naming the first bad row and their number, if {@code onBadRow} is
   *     {@code STOP}
   * @throws DpoException if a file cannot be read, no pair can be used or the disk is full
   */
  public static PairDataset load(
      DataInput input,
      List<Double> weights,
      PairEncoder encoder,
      OnBadRow onBadRow,
      EncodingResources means) {
    PairFile file = PairFile.create(means.folder());
    try {
      List<Integer> ends = new ArrayList<>();
      ReadSummary summary =
          readAll(
              input,
              encoder,
              onBadRow,
              means.threads(),
              row ->
                  row.usable()
                      .ifPresent(pair -> file.append(pair, row.status() == EncodedRow.Status.CUT)),
              entry -> ends.add(file.size()));
      file.finish();
      if (file.size() == 0) {
        throw new DpoException(
            "[%s] at least one pair must be usable but none is: %s"
                .formatted(input.paths(), summary.counts().summary()));
      }
      PairDataset all = new PairDataset(new EncodedPairs(file), summary, Map.of());
      return weights.isEmpty() ? all : all.mixed(ends, weights);
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  private PairDataset mixed(List<Integer> ends, List<Double> weights) {
    List<Integer> available = new ArrayList<>();
    for (int i = 0; i < ends.size(); i++) {
      available.add(ends.get(i) - (i == 0 ? 0 : ends.get(i - 1)));
    }
    List<Integer> taken = Mixture.take(available, weights);
    int[] mixture = new int[taken.stream().mapToInt(Integer::intValue).sum()];
    int size = 0;
    for (int i = 0; i < ends.size(); i++) {
      int from = ends.get(i) - available.get(i);
      for (int pair = from; pair < from + taken.get(i); pair++) {
        mixture[size++] = pair;
      }
    }
    return keep(mixture, "left out for data_weights");
  }

  /**
   * A data set of the same rows with a selection of the pairs.
   *
   * @param indices indices of the pairs to keep, in order
   */
  PairDataset keep(int[] indices, String reason) {
    Map<String, Integer> more = new LinkedHashMap<>(unused);
    if (indices.length < pairs.size()) {
      more.merge(reason, pairs.size() - indices.length, Integer::sum);
    }
    return new PairDataset(pairs.select(indices), readSummary, more);
  }

  /** Pairs that are used after truncation. */
  public int cut() {
    return (int) IntStream.range(0, pairs.size()).filter(pairs::isCut).count();
  }

  /** The number of pairs from an entry. */
  public long from(DataEntry entry) {
    Set<String> files = new HashSet<>();
    entry.files().forEach(file -> files.add(file.path().toString()));
    return IntStream.range(0, pairs.size()).filter(i -> files.contains(pairs.fileOf(i))).count();
  }

  /** Frees the disk space of the pairs, which selections of this data set share. */
  @Override
  public void close() {
    pairs.close();
  }

  /**
   * Counts and columns seen while reading.
   *
   * @param counts counts of every pair by result
   * @param ignoredColumns columns that are ignored
   * @param lostColumns those of them with content that other shapes put into the prompt, each with
   *     the first row that has content
   * @param descriptions descriptions of the rows
   * @param forms the forms in which a model sees the rows
   */
  public record ReadSummary(
      EncodingCounts counts,
      Set<String> ignoredColumns,
      Map<String, RowOrigin> lostColumns,
      Set<String> descriptions,
      Set<RowForm> forms) {
    /** An empty summary. */
    public ReadSummary() {
      this(
          new EncodingCounts(),
          new TreeSet<>(),
          new TreeMap<>(),
          new LinkedHashSet<>(),
          EnumSet.noneOf(RowForm.class));
    }

    /** A description of the rows; "" if there is none or more than one. */
    public String description() {
      return String.join("; ", descriptions);
    }

    private void ended(PairReader reader) {
      ignoredColumns.addAll(reader.ignoredColumns());
      reader.lostColumns().forEach(lostColumns::putIfAbsent);
      reader.form().ifPresent(forms::add);
      if (!reader.description().isEmpty()) {
        descriptions.add(reader.description());
      }
    }
  }

  /**
   * Encodes the rows of one file; see {@link #forEachRow(DataInput, PairEncoder, OnBadRow, int,
   * Consumer)}.
   */
  public static ReadSummary forEachRow(
      Path file, PairEncoder encoder, OnBadRow onBadRow, Consumer<EncodedRow> action) {
    return forEachRow(
        DataInput.of(file), encoder, onBadRow, EncodingResources.ofMachine().threads(), action);
  }

  /**
   * Passes on each pair of the files in order, independent of the number of threads; memory holds
   * at most 64 rows per thread. A skipped bad row is passed on once, as dropped with its reason:
   * one bad rejected completion makes the whole row bad.
   *
   * @param threads number of tokenizing threads, including the calling one
   * @param action runs on the calling thread
   * @throws BadRowException naming the first bad row and their number, if {@code onBadRow} is
   *     {@code STOP}
   */
  public static ReadSummary forEachRow(
      DataInput input,
      PairEncoder encoder,
      OnBadRow onBadRow,
      int threads,
      Consumer<EncodedRow> action) {
    return readAll(input, encoder, onBadRow, threads, action, entry -> {});
  }

  private static ReadSummary readAll(
      DataInput input,
      PairEncoder encoder,
      OnBadRow onBadRow,
      int threads,
      Consumer<EncodedRow> action,
      Consumer<DataEntry> endOfEntry) {
    ReadSummary summary = new ReadSummary();
    BadRows bad = new BadRows();
    try (OrderedWork<List<Result>> work =
        new OrderedWork<>(
            threads,
            results ->
                results.forEach(
                    result -> settle(result, onBadRow, summary.counts(), bad).forEach(action)))) {
      for (DataEntry entry : input.entries()) {
        for (DataFile file : entry.files()) {
          try (PairReader reader = PairReader.open(file, input.columns(), input.format())) {
            encode(reader, encoder, work);
            summary.ended(reader);
          }
        }
        endOfEntry.accept(entry);
      }
    } catch (RuntimeException problem) {
      // An earlier bad row takes precedence.
      throw bad.any() ? bad.all(summary.counts(), problem) : problem;
    }
    if (bad.any()) {
      throw bad.all(summary.counts(), null);
    }
    return summary;
  }

  /** Counts a row; after a bad row that ends the run, rows are only counted. */
  private static List<EncodedRow> settle(
      Result result, OnBadRow onBadRow, EncodingCounts counts, BadRows badRows) {
    if (result.problem() == null) {
      result.encoded().forEach(counts::count);
      return badRows.any() ? List.of() : result.encoded();
    }
    if (!(result.problem() instanceof BadRowException bad)) {
      throw result.problem();
    }
    counts.countBad(result.row().origin(), bad);
    if (onBadRow == OnBadRow.SKIP) {
      return List.of(EncodedRow.skipped(result.row().origin(), bad));
    }
    badRows.add(bad);
    return List.of();
  }

  /** Rows are independent, and tokenizing dominates the cost of loading. */
  private static void encode(
      PairReader reader, PairEncoder encoder, OrderedWork<List<Result>> work) {
    Optional<RuntimeException> unreadable = Optional.empty();
    boolean more = true;
    while (more) {
      List<Row> piece = new ArrayList<>();
      try {
        more = read(reader, piece);
      } catch (RuntimeException problem) {
        unreadable = Optional.of(problem);
        more = false;
      }
      work.add(() -> piece.stream().map(row -> Result.of(row, encoder)).toList());
    }
    work.finish();
    // An earlier bad row takes precedence over the damage, as if rows were encoded one by one.
    if (unreadable.isPresent()) {
      throw unreadable.get();
    }
  }

  /** Adds the next rows to a task; false at the end of the file. */
  private static boolean read(PairReader reader, List<Row> piece) {
    long characters = 0;
    while (piece.size() < PIECE_ROWS && characters < PIECE_CHARACTERS) {
      Optional<Row> row = reader.next();
      if (row.isEmpty()) {
        return false;
      }
      piece.add(row.get());
      characters += row.get().characters();
    }
    return true;
  }

  private record Result(Row row, List<EncodedRow> encoded, @Nullable RuntimeException problem) {

    static Result of(Row row, PairEncoder encoder) {
      try {
        return new Result(row, row.pairsOrThrow().stream().map(encoder::encode).toList(), null);
      } catch (RuntimeException problem) {
        // Thrown in its turn: earlier rows are passed on first, and one may be bad as well.
        return new Result(row, List.of(), problem);
      }
    }
  }
}
