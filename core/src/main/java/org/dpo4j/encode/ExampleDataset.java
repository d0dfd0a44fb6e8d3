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
import org.dpo4j.ExampleKind;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.DataEntry;
import org.dpo4j.data.DataFile;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.data.Row;
import org.dpo4j.data.RowForm;
import org.dpo4j.data.RowOrigin;
import org.jspecify.annotations.Nullable;

/**
 * All usable examples of some data files in order, with counts of the others.
 *
 * @param examples on disk; closed with the data set
 * @param readSummary counts and columns seen while reading
 * @param unused usable examples that are left out, by reason
 * @param packs examples that form a row of a batch together, as in {@link PackedExamples}; null if
 *     each is one
 */
public record ExampleDataset(
    EncodedExamples examples,
    ReadSummary readSummary,
    Map<String, Integer> unused,
    @Nullable List<int[]> packs)
    implements AutoCloseable {

  // Size of a task: enough rows to be worth a hand-over, and little enough text for the caches.
  private static final int PIECE_ROWS = 16;
  private static final long PIECE_CHARACTERS = 1 << 16;

  public ExampleDataset {
    unused = Collections.unmodifiableMap(new LinkedHashMap<>(unused));
  }

  /** Examples that are rows of a batch themselves. */
  public ExampleDataset(
      EncodedExamples examples, ReadSummary readSummary, Map<String, Integer> unused) {
    this(examples, readSummary, unused, null);
  }

  /** The examples of a row of a batch. */
  public List<EncodedExample> row(int index) {
    return packs == null
        ? List.of(examples.get(index))
        : IntStream.of(packs.get(index)).mapToObj(examples::get).toList();
  }

  /** Whether a row of a batch is a pack of several examples. */
  public boolean packed() {
    return packs != null;
  }

  /** Rows of a batch: packs, or examples. */
  public int rows() {
    return packs == null ? examples.size() : packs.size();
  }

  /** Counts of every example of the files by result. */
  public EncodingCounts counts() {
    return readSummary.counts();
  }

  /** The examples of one file; see {@link #load(DataInput, List, ExampleEncoder, OnBadRow)}. */
  public static ExampleDataset load(Path file, ExampleEncoder encoder, OnBadRow onBadRow) {
    return load(DataInput.of(file), List.of(), encoder, onBadRow);
  }

  /**
   * Uses all cores and the folder for temporary files; see {@link #load(DataInput, List,
   * ExampleEncoder, OnBadRow, EncodingMeans)}.
   */
  public static ExampleDataset load(
      DataInput input, List<Double> weights, ExampleEncoder encoder, OnBadRow onBadRow) {
    return load(input, weights, encoder, onBadRow, EncodingResources.ofMachine());
  }

  /**
   * @param weights the weight of each of the input's entries in the mixture; empty for all examples
   *     of all entries
   * @throws BadRowException naming the first bad row and their number, if {@code onBadRow} is
   *     {@code STOP}
   * @throws DpoException if a file cannot be read, no example can be used or the disk is full
   */
  public static ExampleDataset load(
      DataInput input,
      List<Double> weights,
      ExampleEncoder encoder,
      OnBadRow onBadRow,
      EncodingResources means) {
    ExampleFile file = ExampleFile.create(means.folder());
    try {
      List<Integer> ends = new ArrayList<>();
      LabelOrder order = new LabelOrder();
      ReadSummary summary =
          readAll(
              input,
              encoder,
              onBadRow,
              means.threads(),
              row ->
                  row.usable()
                      .ifPresent(
                          example -> {
                            file.append(example, row.status() == EncodedRow.Status.CUT);
                            if (input.kind() == ExampleKind.LABELED) {
                              order.add(example);
                            }
                          }),
              entry -> {
                ends.add(file.size());
                order.end();
              });
      file.finish();
      if (file.size() == 0) {
        throw new DpoException(
            "[%s] at least one %s must be usable but none is: %s"
                .formatted(input.paths(), input.kind().noun(), summary.counts().summary()));
      }
      EncodedExamples examples = new EncodedExamples(file);
      ExampleDataset all =
          new ExampleDataset(
              order.changed() ? examples.select(order.indices()) : examples, summary, Map.of());
      return weights.isEmpty() ? all : all.mixed(ends, weights);
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  private ExampleDataset mixed(List<Integer> ends, List<Double> weights) {
    List<Integer> available = new ArrayList<>();
    for (int i = 0; i < ends.size(); i++) {
      available.add(ends.get(i) - (i == 0 ? 0 : ends.get(i - 1)));
    }
    List<Integer> taken = Mixture.take(available, weights);
    int[] mixture = new int[taken.stream().mapToInt(Integer::intValue).sum()];
    int size = 0;
    for (int i = 0; i < ends.size(); i++) {
      int from = ends.get(i) - available.get(i);
      for (int example = from; example < from + taken.get(i); example++) {
        mixture[size++] = example;
      }
    }
    return keep(mixture, "left out for data_weights");
  }

  /**
   * A data set of the same rows with a selection of the examples.
   *
   * @param indices indices of the examples to keep, in order
   */
  ExampleDataset keep(int[] indices, String reason) {
    Map<String, Integer> more = new LinkedHashMap<>(unused);
    if (indices.length < examples.size()) {
      more.merge(reason, examples.size() - indices.length, Integer::sum);
    }
    return new ExampleDataset(examples.select(indices), readSummary, more);
  }

  /**
   * The same examples with mismatched completions; see {@link EncodedExamples#mismatched}.
   *
   * @param block size of a micro-batch
   * @param maxLength as in {@link EncodingLimits}
   */
  public ExampleDataset mismatched(int block, int maxLength) {
    return new ExampleDataset(examples.mismatched(block, maxLength), readSummary, unused);
  }

  /**
   * Packs the examples, and frees the disk space of what they were before.
   *
   * @param maxLength tokens of a pack
   * @param folder where the packed examples are kept
   */
  public ExampleDataset packed(PackingStrategy strategy, int maxLength, Path folder) {
    PackedExamples packed = PackedExamples.of(examples, strategy, maxLength, folder);
    return new ExampleDataset(packed.examples(), readSummary, unused, packed.packs());
  }

  /** Examples that are used after truncation. */
  public int cut() {
    return (int) IntStream.range(0, examples.size()).filter(examples::isCut).count();
  }

  /** The number of examples from an entry. */
  public long from(DataEntry entry) {
    Set<String> files = new HashSet<>();
    entry.files().forEach(file -> files.add(file.path().toString()));
    return IntStream.range(0, examples.size())
        .filter(i -> files.contains(examples.fileOf(i)))
        .count();
  }

  /** Frees the disk space of the examples, which selections of this data set share. */
  @Override
  public void close() {
    examples.close();
  }

  /**
   * Counts and columns seen while reading.
   *
   * @param counts counts of every example by result
   * @param ignoredColumns columns that are ignored
   * @param lostColumns those of them that are rarely ignored on purpose, each with the first row in
   *     which it matters
   * @param descriptions descriptions of the rows
   * @param forms the forms in which a model sees the rows
   */
  public record ReadSummary(
      EncodingCounts counts,
      Set<String> ignoredColumns,
      Map<String, RowOrigin> lostColumns,
      Set<String> descriptions,
      Set<RowForm> forms) {
    /** An empty summary of examples of a kind. */
    public ReadSummary(ExampleKind kind) {
      this(
          new EncodingCounts(kind),
          new TreeSet<>(),
          new TreeMap<>(),
          new LinkedHashSet<>(),
          EnumSet.noneOf(RowForm.class));
    }

    /** A description of the rows; "" if there is none or more than one. */
    public String description() {
      return String.join("; ", descriptions);
    }

    private void ended(ExampleReader reader) {
      ignoredColumns.addAll(reader.ignoredColumns());
      reader.lostColumns().forEach(lostColumns::putIfAbsent);
      reader.form().ifPresent(forms::add);
      if (!reader.description().isEmpty()) {
        descriptions.add(reader.description());
      }
    }
  }

  /**
   * Encodes the rows of one file; see {@link #forEachRow(DataInput, ExampleEncoder, OnBadRow, int,
   * Consumer)}.
   */
  public static ReadSummary forEachRow(
      Path file, ExampleEncoder encoder, OnBadRow onBadRow, Consumer<EncodedRow> action) {
    return forEachRow(
        DataInput.of(file), encoder, onBadRow, EncodingResources.ofMachine().threads(), action);
  }

  /**
   * Passes on each example of the files in order, independent of the number of threads; memory
   * holds at most 64 rows per thread. A skipped bad row is passed on once, as dropped with its
   * reason: one bad rejected completion makes the whole row bad.
   *
   * @param threads number of tokenizing threads, including the calling one
   * @param action runs on the calling thread
   * @throws BadRowException naming the first bad row and their number, if {@code onBadRow} is
   *     {@code STOP}
   */
  public static ReadSummary forEachRow(
      DataInput input,
      ExampleEncoder encoder,
      OnBadRow onBadRow,
      int threads,
      Consumer<EncodedRow> action) {
    return readAll(input, encoder, onBadRow, threads, action, entry -> {});
  }

  private static ReadSummary readAll(
      DataInput input,
      ExampleEncoder encoder,
      OnBadRow onBadRow,
      int threads,
      Consumer<EncodedRow> action,
      Consumer<DataEntry> endOfEntry) {
    ReadSummary summary = new ReadSummary(input.kind());
    BadRows bad = new BadRows();
    try (OrderedWork<List<Result>> work =
        new OrderedWork<>(
            threads,
            results ->
                results.forEach(
                    result -> settle(result, onBadRow, summary.counts(), bad).forEach(action)))) {
      for (DataEntry entry : input.entries()) {
        int left = input.maxRows() == 0 ? Integer.MAX_VALUE : input.maxRows();
        for (DataFile file : entry.files()) {
          try (ExampleReader reader =
              ExampleReader.open(
                  file, input.columns(), input.format(), input.kind(), input.margins())) {
            left -= encode(reader, left, encoder, work);
            if (left == 0) {
              summary.counts().countLeftOut(reader.skipRest());
            }
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

  /**
   * Rows are independent, and tokenizing dominates the cost of loading.
   *
   * @param most rows to encode
   * @return the number of rows that were encoded
   */
  private static int encode(
      ExampleReader reader, int most, ExampleEncoder encoder, OrderedWork<List<Result>> work) {
    int rows = 0;
    Optional<RuntimeException> unreadable = Optional.empty();
    boolean more = true;
    while (more && rows < most) {
      List<Row> piece = new ArrayList<>();
      try {
        more = read(reader, Math.min(PIECE_ROWS, most - rows), piece);
      } catch (RuntimeException problem) {
        unreadable = Optional.of(problem);
        more = false;
      }
      rows += piece.size();
      work.add(() -> piece.stream().map(row -> Result.of(row, encoder)).toList());
    }
    work.finish();
    // An earlier bad row takes precedence over the damage, as if rows were encoded one by one.
    if (unreadable.isPresent()) {
      throw unreadable.get();
    }
    return rows;
  }

  /** Adds the next rows to a task; false at the end of the file. */
  private static boolean read(ExampleReader reader, int most, List<Row> piece) {
    long characters = 0;
    while (piece.size() < most && characters < PIECE_CHARACTERS) {
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

    static Result of(Row row, ExampleEncoder encoder) {
      try {
        return new Result(row, row.pairsOrThrow().stream().map(encoder::encode).toList(), null);
      } catch (RuntimeException problem) {
        // Thrown in its turn: earlier rows are passed on first, and one may be bad as well.
        return new Result(row, List.of(), problem);
      }
    }
  }
}
