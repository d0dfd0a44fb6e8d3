package org.dpo4j.spark;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.storage.StorageLevel;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodingCounts;
import org.dpo4j.evaluate.ModelScores;
import org.dpo4j.evaluate.PairScore;
import org.dpo4j.evaluate.Slice;
import org.dpo4j.run.EvaluatedModel;
import org.dpo4j.run.EvaluationPairs;

/** The pairs of a data set, which executors score. */
final class DatasetPairs implements EvaluationPairs, AutoCloseable {

  private final Dataset<Row> rows;
  private final EvalConfig config;
  private final boolean kept; // by this, not by the caller

  /** The values of the sliced columns, of pairs that the first model has scored. */
  private final Map<RowOrigin, String[]> values = new HashMap<>();

  DatasetPairs(Dataset<Row> rows, EvalConfig config) {
    this.rows = rows;
    this.config = config;
    this.kept = rows.storageLevel().equals(StorageLevel.NONE());
    if (kept) {
      rows.persist(StorageLevel.DISK_ONLY()); // for each model
    }
  }

  @Override
  public String name() {
    return SparkRows.NAME;
  }

  @Override
  public List<Path> files() {
    return List.of();
  }

  @Override
  public Scored score(EvaluatedModel model) {
    List<String> sliced = values.isEmpty() ? config.sliceBy().orElse(List.of()) : List.of(); // once
    List<EvaluatePartition.Part> parts =
        rows.toJavaRDD()
            .mapPartitionsWithIndex(
                new EvaluatePartition(
                    EvalConfig.OPTIONS.write(config),
                    model,
                    SparkRows.untyped(rows.schema()),
                    rows.count(),
                    sliced),
                false)
            .collect();
    List<PairScore> pairs = new ArrayList<>();
    List<ModelScores.Divergence> divergences = new ArrayList<>();
    EncodingCounts counts = EncodingCounts.ofPairs();
    for (EvaluatePartition.Part part : parts) {
      pairs.addAll(part.pairs());
      Stream.ofNullable(part.divergence()).forEach(divergences::add);
      counts.add(part.counts());
      for (int i = 0; i < part.values().size(); i++) {
        values.put(part.pairs().get(i).origin(), part.values().get(i));
      }
    }
    return new Scored(
        pairs,
        ModelScores.Divergence.of(divergences),
        counts,
        List.of(name() + ": " + counts.summary()));
  }

  @Override
  public List<Slice> slices(List<PairScore> pairs) {
    List<Slice> slices = new ArrayList<>();
    List<String> columns = config.sliceBy().orElse(List.of());
    for (int i = 0; i < columns.size(); i++) {
      int column = i;
      slices.addAll(
          Slice.by(
              columns.get(i),
              pairs.stream()
                  .map(pair -> Optional.ofNullable(values.get(pair.origin())).orElseThrow()[column])
                  .toList()));
    }
    return slices;
  }

  @Override
  public void close() {
    if (kept) {
      rows.unpersist(false);
    }
  }
}
