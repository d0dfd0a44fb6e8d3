package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dpo4j.Dpo4j;
import org.dpo4j.DpoException;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.config.CacheFolder;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.Sha256;
import org.dpo4j.data.ShortList;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.model.CausalLm;
import org.dpo4j.options.OptionType;
import org.dpo4j.ranks.Ranks;
import org.dpo4j.reference.DamagedReferenceException;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.reference.ReferenceCache;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.reference.ReferenceKey;
import org.dpo4j.report.Progress;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.train.TrainingData;
import org.jspecify.annotations.Nullable;

/**
 * Log-probabilities of a run's data sets under a frozen reference: read from the cache, or computed
 * and stored there. A problem with the cache is printed and does not stop the run.
 */
final class ReferenceTables {
  static final String TRAINING = "training";
  static final String HELD_OUT = "held-out";

  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm");

  /** More rows than this make a message unreadable. */
  private static final int MOST_ROWS = 20;

  private final TrainingConfig config;
  private final Ranks ranks;
  private final Consumer<String> say;
  private final Optional<ReferenceCache> cache;
  private final LengthDesensitizing tail;
  private final List<Entry> entries = new ArrayList<>();

  /** A data set, its key if there is a cache, and its table after it is read or computed. */
  private final class Entry {
    private final String use;
    private final ExampleDataset dataset;
    private final @Nullable ReferenceKey key;
    private @Nullable LogProbTable table;

    Entry(String use, ExampleDataset dataset, @Nullable ReferenceKey key) {
      this.use = use;
      this.dataset = dataset;
      this.key = key;
    }

    String pairs() {
      return "%d %s %ss".formatted(dataset.examples().size(), use, config.loss().examples().noun());
    }
  }

  /**
   * Looks for the tables in the cache.
   *
   * @param files the reference's
   * @param datasets of training and, if any, of held-out pairs
   * @param computation the number type in which the reference computes
   * @param ranks that train together: rank 0 has the cache, and all compute
   * @param say receives a line about each table
   */
  ReferenceTables(
      TrainingConfig config,
      ReferenceFiles files,
      List<ExampleDataset> datasets,
      String computation,
      Ranks ranks,
      Consumer<String> say) {
    this.config = config;
    this.ranks = ranks;
    this.say = say;
    this.cache = ranks.first() ? CacheFolder.of(config).map(ReferenceCache::new) : Optional.empty();
    this.tail = config.loss().objective().tail();
    cache.ifPresentOrElse(ReferenceCache::removeStale, () -> say.accept("off"));
    for (ExampleDataset dataset : datasets) {
      String use = entries.isEmpty() ? TRAINING : HELD_OUT;
      ReferenceKey key =
          cache.isEmpty() ? null : ReferenceKey.of(files, dataset.examples(), tail, computation);
      Entry entry = new Entry(use, dataset, key);
      cache.ifPresent(found -> find(found, entry));
      if (ranks.several()) {
        share(entry);
      }
      entries.add(entry);
    }
  }

  /** Gives a table that rank 0 has found to all. */
  private void share(Entry entry) {
    LogProbTable found = entry.table;
    if (ranks.any(found != null)) {
      int completions = (int) ranks.ofFirst(found == null ? 0 : found.completions())[0];
      double[] values =
          found == null
              ? new double[completions * entry.dataset.examples().size()]
              : found.values();
      entry.table = LogProbTable.of(ranks.ofFirst(values), completions);
    }
  }

  private void find(ReferenceCache kept, Entry entry) {
    ReferenceKey key = Objects.requireNonNull(entry.key);
    Path file = kept.file(key);
    try {
      Optional<LogProbTable> table = kept.find(key);
      if (table.isPresent()) {
        Instant written = Files.getLastModifiedTime(file).toInstant();
        say.accept(
            "%s read from %s, written %s"
                .formatted(
                    entry.pairs(), file, TIME.format(written.atZone(ZoneId.systemDefault()))));
        entry.table = table.get();
      }
    } catch (DamagedReferenceException e) {
      say.accept("%s is damaged (%s), computing again".formatted(file, e.getMessage()));
    } catch (IOException e) {
      say.accept("%s cannot be read (%s), computing again".formatted(file, FileFailure.reason(e)));
    }
  }

  /** Whether all tables exist, so that no model is needed. */
  boolean complete() {
    return entries.stream().allMatch(entry -> entry.table != null);
  }

  /** Computes the tables that were not found, and stores them. */
  void compute(CausalLm model, Progress progress) {
    for (Entry entry : entries) {
      if (entry.table != null) {
        continue;
      }
      int pairs = entry.dataset.examples().size();
      progress.update("reference", 0, pairs, "");
      LogProbTable table =
          LogProbTable.compute(
              config.engine().computation().engine(),
              model,
              entry.dataset.examples(),
              tail,
              TokenBudget.DEFAULT,
              ranks,
              done -> progress.update("reference", done, pairs, ""));
      requireFinite(table, entry.dataset.examples());
      entry.table = table;
      cache.ifPresent(kept -> keep(kept, entry, table));
    }
  }

  private void requireFinite(LogProbTable table, List<EncodedExample> examples) {
    List<Integer> bad =
        IntStream.range(0, examples.size()).filter(i -> !table.finite(i)).boxed().toList();
    if (!bad.isEmpty()) {
      throw new DpoException(
          "log-probabilities under the reference must be finite but are not on %s: %s; look at these rows with inspect and leave them out, or take another reference"
              .formatted(
                  ShortNumber.count(bad.size(), config.loss().examples().noun()),
                  ShortList.of(bad, MOST_ROWS, i -> row(table, examples.get(i), i))));
    }
  }

  private static String row(LogProbTable table, EncodedExample example, int index) {
    return IntStream.range(0, table.completions())
        .mapToObj(i -> example.column(example.completions().get(i)) + " " + table.at(index, i))
        .collect(Collectors.joining(", ", example.origin() + " (", ")"));
  }

  private void keep(ReferenceCache kept, Entry entry, LogProbTable table) {
    try {
      Path file = kept.keep(Objects.requireNonNull(entry.key), notes(config, entry.use), table);
      say.accept("%s computed and kept in %s".formatted(entry.pairs(), file));
    } catch (IOException e) {
      say.accept(
          "%s computed, not kept in %s: %s"
              .formatted(entry.pairs(), kept.folder(), FileFailure.reason(e)));
    }
  }

  /** The data sets, each with its table; all tables must exist. */
  List<TrainingData> data() {
    return entries.stream()
        .map(
            entry ->
                new TrainingData(
                    entry.dataset.examples(),
                    new PrecomputedReference(Objects.requireNonNull(entry.table))))
        .toList();
  }

  /**
   * Notes for people who open the file; names without folders, since files are shared.
   *
   * @param use of the data set, {@link #TRAINING} or {@link #HELD_OUT}
   */
  static Map<String, String> notes(TrainingConfig config, String use) throws IOException {
    Map<String, String> notes = new LinkedHashMap<>();
    Path reference = config.loss().refModel().orElse(config.model().model());
    notes.put("reference", name(reference));
    TrainingConfig.Data data = config.data();
    List<Path> files =
        use.equals(TRAINING) ? data.dataFile() : data.evalFile().orElse(data.dataFile());
    notes.put("use", use);
    notes.put("data", files.stream().map(ReferenceTables::name).collect(Collectors.joining(", ")));
    notes.put("max_length", Integer.toString(data.maxLength()));
    notes.putAll(ReferenceFiles.textSide(config.model().model()));
    if (config.template().chatTemplate().isPresent()) {
      notes.put("chat_template.jinja", Sha256.of(config.template().chatTemplate().get()));
    }
    notes.put("tokenizer_source", OptionType.text(config.template().tokenizerSource()));
    notes.put("written by", "dpo4j " + Dpo4j.version());
    notes.put("libtorch", Dpo4j.libtorchVersion());
    return notes;
  }

  private static String name(Path path) {
    return String.valueOf(path.toAbsolutePath().normalize().getFileName());
  }
}
