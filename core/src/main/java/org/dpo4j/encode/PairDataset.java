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
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.DataEntry;
import org.dpo4j.data.DataFile;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.PairReader;
import org.dpo4j.data.Row;
import org.jspecify.annotations.Nullable;

/**
 * All usable pairs of some data files in their order, and what became of the others.
 *
 * @param pairs on disk; closed with the data set
 * @param counts every pair of the files by its fate
 * @param ignoredColumns columns of the files that mean nothing here
 * @param description what the rows are, for people
 * @param unused pairs that could be used and are not, by reason
 */
public record PairDataset(
    EncodedPairs pairs,
    EncodingCounts counts,
    Set<String> ignoredColumns,
    String description,
    Map<String, Integer> unused)
    implements AutoCloseable {
  // A piece of work: enough rows to be worth handing over, and no more text than the caches hold.
  private static final int PIECE_ROWS = 16;
  private static final long PIECE_CHARACTERS = 1 << 16;

  public PairDataset {
    ignoredColumns = Collections.unmodifiableSet(new TreeSet<>(ignoredColumns));
    unused = Collections.unmodifiableMap(new LinkedHashMap<>(unused));
  }

  /** The pairs of one file; see {@link #load(DataInput, List, PairEncoder, OnBadRow)}. */
  public static PairDataset load(Path file, PairEncoder encoder, OnBadRow onBadRow) {
    return load(DataInput.of(file), List.of(), encoder, onBadRow);
  }

  /**
   * With all cores and the folder for temporary files; see {@link #load(DataInput, List,
   * PairEncoder, OnBadRow, EncodingMeans)}.
   */
  public static PairDataset load(
      DataInput input, List<Double> weights, PairEncoder encoder, OnBadRow onBadRow) {
    return load(input, weights, encoder, onBadRow, EncodingMeans.ofMachine());
  }

  /**
   * @param weights the share of each of the input's entries in the mixture; empty for all pairs of
   *     all entries
   * @throws BadRowException the first bad row, if {@code onBadRow} says stop
   * @throws DpoException if a file cannot be read, no pair can be used or the disk is full
   */
  public static PairDataset load(
      DataInput input,
      List<Double> weights,
      PairEncoder encoder,
      OnBadRow onBadRow,
      EncodingMeans means) {
    PairFile file = PairFile.create(means.folder());
    try {
      List<Integer> ends = new ArrayList<>();
      Walk walk =
          walk(
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
                .formatted(input.paths(), walk.counts().summary()));
      }
      PairDataset all =
          new PairDataset(
              new EncodedPairs(file),
              walk.counts(),
              walk.ignoredColumns(),
              walk.description(),
              Map.of());
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
   * The same rows with some of the pairs only, and why the others are not used.
   *
   * @param indices of the pairs, which are kept in their order
   */
  PairDataset keep(int[] indices, String reason) {
    Map<String, Integer> more = new LinkedHashMap<>(unused);
    if (indices.length < pairs.size()) {
      more.merge(reason, pairs.size() - indices.length, Integer::sum);
    }
    return new PairDataset(pairs.select(indices), counts, ignoredColumns, description, more);
  }

  /** Pairs that are used after a cut. */
  public int cut() {
    return (int) IntStream.range(0, pairs.size()).filter(pairs::isCut).count();
  }

  /** How many of the pairs came from an entry. */
  public long from(DataEntry entry) {
    Set<String> files = new HashSet<>();
    entry.files().forEach(file -> files.add(file.path().toString()));
    return IntStream.range(0, pairs.size()).filter(i -> files.contains(pairs.fileOf(i))).count();
  }

  /** Frees the disk space of the pairs, which data sets made from this one share. */
  @Override
  public void close() {
    pairs.close();
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

    private void ended(PairReader reader) {
      ignoredColumns.addAll(reader.ignoredColumns());
      if (!reader.description().isEmpty()) {
        descriptions.add(reader.description());
      }
    }
  }

  /**
   * The rows of one file; see {@link #forEachRow(DataInput, PairEncoder, OnBadRow, int, Consumer)}.
   */
  public static Walk forEachRow(
      Path file, PairEncoder encoder, OnBadRow onBadRow, Consumer<EncodedRow> action) {
    return forEachRow(
        DataInput.of(file), encoder, onBadRow, EncodingMeans.ofMachine().threads(), action);
  }

  /**
   * Hands over each pair of the files in order, whatever number of threads tokenizes; in memory are
   * at most 64 rows for each of them. A bad row that is skipped is handed over as dropped with its
   * reason, whole: one bad rejected completion makes a row bad.
   *
   * @param threads that tokenize, the calling one included
   * @param action called on the calling thread
   * @throws BadRowException the first bad row, if {@code onBadRow} says stop
   */
  public static Walk forEachRow(
      DataInput input,
      PairEncoder encoder,
      OnBadRow onBadRow,
      int threads,
      Consumer<EncodedRow> action) {
    return walk(input, encoder, onBadRow, threads, action, entry -> {});
  }

  private static Walk walk(
      DataInput input,
      PairEncoder encoder,
      OnBadRow onBadRow,
      int threads,
      Consumer<EncodedRow> action,
      Consumer<DataEntry> endOfEntry) {
    Walk walk = new Walk();
    try (OrderedWork<List<Result>> work =
        new OrderedWork<>(
            threads,
            results ->
                results.forEach(
                    result -> result.settle(onBadRow, walk.counts()).forEach(action)))) {
      for (DataEntry entry : input.entries()) {
        for (DataFile file : entry.files()) {
          try (PairReader reader = PairReader.open(file, input.columns(), input.format())) {
            encode(reader, encoder, work);
            walk.ended(reader);
          }
        }
        endOfEntry.accept(entry);
      }
    }
    return walk;
  }

  /** Tokenizing is most of what loading costs, and rows are independent of each other. */
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
    // What is wrong with a row before the damage comes first, as if rows were encoded one by one.
    if (unreadable.isPresent()) {
      throw unreadable.get();
    }
  }

  /** Adds the next rows to a piece; false at the end of the file. */
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
        // Kept for its turn: the rows before it are handed over first, and one may be bad as well.
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
