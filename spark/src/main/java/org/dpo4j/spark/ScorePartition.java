package org.dpo4j.spark;

import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.dpo4j.ExampleKind;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.run.RowScorer;
import org.dpo4j.run.ScoredRow;

/**
 * Scores the rows of a partition. The result depends on the partition alone, so a task that is
 * repeated gives it again.
 */
final class ScorePartition implements MapPartitionsFunction<Row, Row> {
  private static final long serialVersionUID = 1;

  private static final ExecutorModels<RowScorer> MODELS = new ExecutorModels<>();

  private final LinkedHashMap<String, Object> options;
  private final ExampleKind kind;
  private final boolean untyped;
  private final ScoreColumns columns;

  ScorePartition(
      Map<String, Object> options, ExampleKind kind, boolean untyped, ScoreColumns columns) {
    this.options = new LinkedHashMap<>(options);
    this.kind = kind;
    this.untyped = untyped;
    this.columns = columns;
  }

  @Override
  public Iterator<Row> call(Iterator<Row> rows) {
    if (!rows.hasNext()) {
      return Collections.emptyIterator();
    }
    NodeOptions node = NodeOptions.of(options);
    ScoreConfig config = ScoreConfig.of(node.values());
    RowScorer scorer =
        MODELS.use(
            node,
            output -> {
              config.checkFolders();
              return RowScorer.open(config, output);
            });
    Deque<Row> read = new ArrayDeque<>();
    ExampleReader reader =
        ExampleReader.open(
            SparkRows.input("partition " + TaskContext.getPartitionId(), kept(rows, read), untyped)
                .named(DataInputs.columns(config.columns()), config.dataFormat())
                .reading(kind, false));
    return new Joined(read, scorer.score(reader), columns);
  }

  /** The rows, each of which is kept until it has its scores. */
  private static Iterator<Row> kept(Iterator<Row> rows, Deque<Row> read) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return rows.hasNext();
      }

      @Override
      public Row next() {
        Row row = rows.next();
        read.add(row);
        return row;
      }
    };
  }

  /** Rows with their scores. */
  private static final class Joined implements Iterator<Row> {
    private final Deque<Row> read;
    private final Iterator<ScoredRow> scored;
    private final ScoreColumns columns;
    private int first = 1; // number of the first row in read

    Joined(Deque<Row> read, Iterator<ScoredRow> scored, ScoreColumns columns) {
      this.read = read;
      this.scored = scored;
      this.columns = columns;
    }

    @Override
    public boolean hasNext() {
      return scored.hasNext();
    }

    @Override
    public Row next() {
      ScoredRow next = scored.next();
      for (; first < next.row().origin().row(); first++) {
        read.remove();
      }
      return columns.row(read.element(), next);
    }
  }
}
