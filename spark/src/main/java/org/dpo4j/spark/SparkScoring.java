package org.dpo4j.spark;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;
import org.dpo4j.UsageException;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.data.DataInput;

/**
 * The command {@code score} as a part of a Spark job: rows of preference pairs, or of single
 * completions, get their log-probabilities under a model and, with a reference, rewards.
 *
 * <pre>{@code
 * Dataset<Row> scored =
 *     SparkScoring.score(
 *         spark.read().parquet("s3a://data/pairs"),
 *         Map.of("model", "/models/policy", "ref_model", "/models/start"));
 * }</pre>
 *
 * <p>Each executor loads the models once, from paths that it sees. Its tasks share them: weights
 * are only read, and only the memory of a batch is a task's own. An executor keeps the models until
 * a job with other ones starts.
 */
public final class SparkScoring {
  private SparkScoring() {}

  /**
   * Adds the scores of each row, lazily, as {@code Dataset.map} does.
   *
   * <p>Rows have one of the shapes that {@code score} reads, texts as strings and messages as
   * arrays of structs with {@code role} and {@code content}, or as JSON. The result has the columns
   * of the rows, then {@code status} and {@code reason} (why a row is cut or dropped), for pairs
   * {@code rejected_index}, and the scores, which are null where a row is dropped. A row that lists
   * several rejected completions gives one row for each of them.
   *
   * <p>Batches are cut within a partition. Numbers equal those of {@code score} to the last bit
   * where the batches hold the same rows and as many threads compute; else to rounding.
   *
   * @param rows to score
   * @param options those of {@code score} by name, at least {@code model}, without {@code
   *     data_file} and {@code output}. The default of {@code threads} is {@code spark.task.cpus}. A
   *     folder that an executor does not see at its path is looked for by its name among the files
   *     that {@code SparkContext.addFile} has shipped
   * @return a row for each example; the job fails with the exception of {@code score} where a model
   *     cannot be read, or at a bad row unless {@code on_bad_row} is skip
   * @throws UsageException if an option is wrong, or a column has the name of a score
   */
  public static Dataset<Row> score(Dataset<Row> rows, Map<String, ?> options) {
    ScoreConfig config = config(options);
    StructType schema = rows.schema();
    DataInput shape =
        SparkRows.sample(schema)
            .named(DataInputs.columns(config.columns()), config.dataFormat())
            .readingWhatItIs();
    ScoreColumns columns = ScoreColumns.of(shape.kind(), config.refModel().isPresent());
    StructType result = columns.addTo(schema);
    return rows.mapPartitions(
        new ScorePartition(
            ScoreConfig.OPTIONS.write(config), shape.kind(), SparkRows.untyped(schema), columns),
        Encoders.row(result));
  }

  /** The options with a place for the two that name files. */
  private static ScoreConfig config(Map<String, ?> options) {
    Map<String, Object> all = new LinkedHashMap<>(options);
    for (String files : List.of("data_file", "output")) {
      if (all.put(files, SparkRows.NAME) != null) {
        throw new UsageException(
            files, "must not be given: rows come from a Dataset and go into one", "", "");
      }
    }
    return ScoreConfig.of(all);
  }
}
