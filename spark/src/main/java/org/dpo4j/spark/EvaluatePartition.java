package org.dpo4j.spark;

import java.io.Serializable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.sql.Row;
import org.dpo4j.ExampleKind;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.data.ColumnValues;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.EncodingCounts;
import org.dpo4j.evaluate.ModelScores;
import org.dpo4j.evaluate.PairScore;
import org.dpo4j.run.EvaluatedModel;
import org.dpo4j.run.ModelScorer;
import org.jspecify.annotations.Nullable;

/** Scores the pairs of a partition under one model. */
final class EvaluatePartition
    implements Function2<Integer, Iterator<Row>, Iterator<EvaluatePartition.Part>> {
  private static final long serialVersionUID = 1;

  private static final ExecutorModels<ModelScorer> MODELS = new ExecutorModels<>();

  /**
   * What a partition gives.
   *
   * @param pairs that the model can use, in order
   * @param values of the sliced columns, for each of these pairs; empty if no column was asked for
   * @param divergence from the reference, if it was measured
   * @param counts the fates of all pairs
   */
  record Part(
      ArrayList<PairScore> pairs,
      ArrayList<String[]> values,
      ModelScores.@Nullable Divergence divergence,
      EncodingCounts counts)
      implements Serializable {}

  private final LinkedHashMap<String, Object> options;
  private final boolean toBase;
  private final boolean untyped;
  private final long count;
  private final ArrayList<String> sliced;

  /**
   * @param options of the evaluation
   * @param model that scores
   * @param untyped as in {@link SparkRows#untyped}
   * @param count how many rows all partitions have
   * @param sliced columns whose values are wanted
   */
  EvaluatePartition(
      Map<String, Object> options,
      EvaluatedModel model,
      boolean untyped,
      long count,
      List<String> sliced) {
    this.options = new LinkedHashMap<>(options);
    this.options.put("model", model.base().toString());
    model.adapter().ifPresent(path -> this.options.put("adapter", path.toString()));
    this.options.remove("ref_model");
    model.reference().ifPresent(path -> this.options.put("ref_model", path.toString()));
    this.toBase = model.toBase();
    this.untyped = untyped;
    this.count = count;
    this.sliced = new ArrayList<>(sliced);
  }

  @Override
  public Iterator<Part> call(Integer partition, Iterator<Row> rows) {
    if (!rows.hasNext()) {
      return Collections.emptyIterator();
    }
    NodeOptions node = NodeOptions.of(options);
    Map<String, Object> values = new LinkedHashMap<>(node.values());
    Optional<Path> adapter = path(values.remove("adapter"));
    EvaluatedModel model =
        new EvaluatedModel(
            path(values.get("model")).orElseThrow(),
            path(values.get("model")).orElseThrow(),
            adapter,
            path(values.get("ref_model")),
            toBase,
            Optional.empty());
    EvalConfig config = EvalConfig.of(values);
    ModelScorer scorer = MODELS.use(node, output -> ModelScorer.open(config, model, output));
    ArrayList<String[]> ofColumns = new ArrayList<>();
    DataInput input =
        SparkRows.input("partition " + partition, columnsOf(rows, ofColumns), untyped)
            .named(DataInputs.columns(config.columns()), config.dataFormat())
            .reading(ExampleKind.PAIRS, false);
    ModelScorer.Result result = scorer.score(input, count, 1, row -> {});
    ArrayList<String[]> ofPairs = new ArrayList<>();
    if (!sliced.isEmpty()) {
      result.pairs().forEach(pair -> ofPairs.add(ofColumns.get(pair.origin().row() - 1)));
    }
    return List.of(
            new Part(
                new ArrayList<>(result.pairs()),
                ofPairs,
                result.divergence().orElse(null),
                result.summary().counts()))
        .iterator();
  }

  private static Optional<Path> path(@Nullable Object value) {
    return Optional.ofNullable(value).map(text -> Path.of(text.toString()));
  }

  /** The rows, whose values in the sliced columns are kept. */
  private Iterator<Row> columnsOf(Iterator<Row> rows, List<String[]> values) {
    if (sliced.isEmpty()) {
      return rows;
    }
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return rows.hasNext();
      }

      @Override
      public Row next() {
        Row row = rows.next();
        values.add(
            sliced.stream()
                .map(column -> ColumnValues.text(row.getAs(column)))
                .toArray(String[]::new));
        return row;
      }
    };
  }
}
