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
 * All usable pairs of some data files in their order, and what became of the others.
 *
 * @param pairs on disk; closed with the data set
 * @param walk what was seen in the files
 * @param unused pairs that could be used and are not, by reason
 */
public record PairDataset(EncodedPairs pairs, ReadSummary walk, Map<String, Integer> unused)
    implements AutoCloseable {
  // A piece of work: enough rows to be worth handing over, and no more text than the caches hold.
  private static final int PIECE_ROWS = 16;
  private static final long PIECE_CHARACTERS = 1 << 16;

  public PairDataset {
    unused = Collections.unmodifiableMap(new LinkedHashMap<>(unused));
  }

  /** Every pair of the files by its fate. */
  public EncodingCounts counts() {
    return walk.counts();
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
    return load(input, weights, encoder, onBadRow, EncodingResources.ofMachine());
  }

  /**
   * @param weights the share of each of the input's entries in the mixture; empty for all pairs of
   *     all entries
   * @throws BadRowException the first bad row and how many there are, if {@code onBadRow} says stop
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
      ReadSummary walk =
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
      PairDataset all = new PairDataset(new EncodedPairs(file), walk, Map.of());
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
    return new PairDataset(pairs.select(indices), walk, more);
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

  /**
   * What was seen so far.
   *
   * @param counts every pair by its fate
   * @param ignoredColumns columns that mean nothing here
   * @param lostColumns those of them that would be part of a prompt elsewhere and hold something,
   *     with the first row in which they do
   * @param descriptions what the rows are, for people
   * @param forms what the rows are to a model
   */
  public record ReadSummary(
      EncodingCounts counts,
      Set<String> ignoredColumns,
      Map<String, RowOrigin> lostColumns,
      Set<String> descriptions,
      Set<RowForm> forms) {
    /** Nothing. */
    public ReadSummary() {
      this(
          new EncodingCounts(),
          new TreeSet<>(),
          new TreeMap<>(),
          new LinkedHashSet<>(),
          EnumSet.noneOf(RowForm.class));
    }

    /** What the rows are, for people; "" if that cannot be told. */
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
   * The rows of one file; see {@link #forEachRow(DataInput, PairEncoder, OnBadRow, int, Consumer)}.
   */
  public static ReadSummary forEachRow(
      Path file, PairEncoder encoder, OnBadRow onBadRow, Consumer<EncodedRow> action) {
    return forEachRow(
        DataInput.of(file), encoder, onBadRow, EncodingResources.ofMachine().threads(), action);
  }

  /**
   * Hands over each pair of the files in order, whatever number of threads tokenizes; in memory are
   * at most 64 rows for each of them. A bad row that is skipped is handed over as dropped with its
   * reason, whole: one bad rejected completion makes a row bad.
   *
   * @param threads that tokenize, the calling one included
   * @param action called on the calling thread
   * @throws BadRowException the first bad row and how many there are, if {@code onBadRow} says stop
   */
  public static ReadSummary forEachRow(
      DataInput input,
      PairEncoder encoder,
      OnBadRow onBadRow,
      int threads,
      Consumer<EncodedRow> action) {
    return walk(input, encoder, onBadRow, threads, action, entry -> {});
  }

  private static ReadSummary walk(
      DataInput input,
      PairEncoder encoder,
      OnBadRow onBadRow,
      int threads,
      Consumer<EncodedRow> action,
      Consumer<DataEntry> endOfEntry) {
    ReadSummary walk = new ReadSummary();
    BadRows bad = new BadRows();
    try (OrderedWork<List<Result>> work =
        new OrderedWork<>(
            threads,
            results ->
                results.forEach(
                    result -> settle(result, onBadRow, walk.counts(), bad).forEach(action)))) {
      for (DataEntry entry : input.entries()) {
        for (DataFile file : entry.files()) {
          try (PairReader reader = PairReader.open(file, input.columns(), input.format())) {
            encode(reader, encoder, work);
            walk.ended(reader);
          }
        }
        endOfEntry.accept(entry);
      }
    } catch (RuntimeException problem) {
      // A bad row before it comes first.
      throw bad.any() ? bad.all(walk.counts(), problem) : problem;
    }
    if (bad.any()) {
      throw bad.all(walk.counts(), null);
    }
    return walk;
  }

  /** Counts a row; after a bad one that ends the run the others are only counted. */
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
  }
}
