package org.dpo4j.spark;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.dpo4j.ExampleKind;
import org.dpo4j.UsageException;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.EvalRun;
import tools.jackson.databind.json.JsonMapper;

/**
 * The command {@code eval} as a Spark job: how models prefer the chosen completions of held-out
 * pairs, with intervals, and whether the difference between them may be chance.
 *
 * <pre>{@code
 * String figures =
 *     SparkEvaluation.evaluate(
 *         spark.read().parquet("s3a://data/held-out"),
 *         Map.of("model", List.of("/models/start", "/models/tuned"), "slice_by", "source"));
 * }</pre>
 *
 * <p>Each executor loads a model once, as for {@link SparkScoring}. The driver gets about 100 bytes
 * for each pair and model, and never a text; it sees the models too, whose files name their
 * references.
 */
public final class SparkEvaluation {
  private SparkEvaluation() {}

  /**
   * Evaluates models.
   *
   * <p>The figures are those of {@code eval}, to rounding, but the divergence is measured on
   * another sample of pairs, and prompts are not grouped by their words.
   *
   * @param rows pairs in one of the shapes that {@code eval} reads; the same rows in the same order
   *     each time they are computed
   * @param options those of {@code eval} by name, at least {@code model}, without {@code data_file}
   *     and {@code output}. The default of {@code threads} is {@code spark.task.cpus}
   * @return the figures as the JSON object that {@code eval} writes
   * @throws UsageException if an option is wrong, or the rows are no pairs
   * @throws org.dpo4j.DpoException if no pair can be used; the job fails with the exception of
   *     {@code eval} where a model cannot be read, or at a bad row unless {@code on_bad_row} is
   *     skip
   */
  public static String evaluate(Dataset<Row> rows, Map<String, ?> options) {
    EvalConfig config = config(options);
    try (DatasetPairs pairs = pairs(rows, config)) {
      return JsonMapper.shared()
          .writeValueAsString(EvalRun.figures(config, pairs, RunOutput.silent(Progress.NONE)));
    }
  }

  /**
   * Prints the figures, and writes them if {@code output} names a file.
   *
   * @param config its data is not read
   */
  static void run(Dataset<Row> rows, EvalConfig config, RunOutput output) {
    try (DatasetPairs pairs = pairs(rows, config)) {
      EvalRun.run(config, pairs, output);
    }
  }

  private static DatasetPairs pairs(Dataset<Row> rows, EvalConfig config) {
    config.checkFolders();
    ExampleKind kind =
        SparkRows.sample(rows.schema())
            .named(DataInputs.columns(config.columns()), config.dataFormat())
            .readingWhatItIs()
            .kind();
    if (kind != ExampleKind.PAIRS) {
      throw new UsageException(
          "rows",
          "must hold pairs of a chosen and a rejected completion",
          "their columns are " + String.join(", ", rows.columns()),
          "SparkScoring scores other rows");
    }
    List<String> columns = Arrays.asList(rows.columns());
    for (String column : config.sliceBy().orElse(List.of())) {
      if (!columns.contains(column)) {
        throw new UsageException(
            "slice_by",
            "must name columns of the data",
            column + " is none",
            "there are " + String.join(", ", columns));
      }
    }
    return new DatasetPairs(rows, config);
  }

  /** The options with a place for the one that names files. */
  static EvalConfig config(Map<String, ?> options) {
    Map<String, Object> all = new LinkedHashMap<>(options);
    if (all.containsKey("output")) {
      throw new UsageException(
          "output", "must not be given: the result is returned", "", "leave it out");
    }
    if (all.put("data_file", SparkRows.NAME) != null) {
      throw new UsageException(
          "data_file", "must not be given: rows come from a Dataset", "", "leave it out");
    }
    return EvalConfig.of(all);
  }
}
