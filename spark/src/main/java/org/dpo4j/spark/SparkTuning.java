package org.dpo4j.spark;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import scala.jdk.javaapi.FunctionConverters;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/**
 * The command {@code train} as a Spark job in barrier mode: each task is a rank, which computes a
 * part of every step ({@link org.dpo4j.ranks.Ranks}).
 *
 * <pre>{@code
 * TunedModel tuned =
 *     SparkTuning.train(
 *         spark,
 *         spark.read().parquet("s3a://data/pairs"),
 *         4,
 *         Map.of("model", "/shared/model", "output_dir", "/shared/tuned", "beta", 0.1));
 * }</pre>
 *
 * <p>A rank needs an executor of its own: set {@code spark.task.cpus} to {@code
 * spark.executor.cores}. If a task fails or an executor dies, Spark starts all ranks again, and
 * they continue from the newest checkpoint; there are {@code spark.stage.maxConsecutiveAttempts}
 * attempts in all.
 */
public final class SparkTuning {

  private static final String DATA_FILE = "data_file";

  private static final String TOO_FEW =
      "%d ranks need as many executors with free cores at the same time, but Spark did not get them; add executors, lower spark.task.cpus, or train with fewer ranks";

  private SparkTuning() {}

  /**
   * Trains on rows of a data set. Executors write them as Parquet next to the output folder, from
   * where each rank reads them; the driver gets none. The files are deleted when the job has ended.
   *
   * @param spark runs the job
   * @param rows in one of the shapes that {@code train} reads
   * @param ranks how many executors train, at least 1
   * @param options those of {@code train} by name, without {@code data_file}; paths are those of
   *     the executors, and {@code output_dir} is on storage that all of them and the driver see
   * @return what rank 0 has written
   * @throws UsageException if an option is wrong
   */
  public static TunedModel train(
      SparkSession spark, Dataset<Row> rows, int ranks, Map<String, ?> options) {
    if (options.containsKey(DATA_FILE)) {
      throw new UsageException(
          DATA_FILE, "must not be given: rows come from a Dataset", "", "leave it out");
    }
    Object output = options.get("output_dir");
    if (output == null) {
      throw new UsageException(
          "output_dir", "must be a folder that all executors see", "is missing", "");
    }
    Path folder = Path.of(output + ".pairs").toAbsolutePath().normalize();
    Map<String, Object> all = new LinkedHashMap<>(options);
    all.put(DATA_FILE, folder.toString());
    requireRanks(ranks);
    TrainingConfig.of(all); // options are checked before rows are written
    // With the scheme of files: a path without one may be of another file system.
    WrittenRows written = new WrittenRows(folder.toUri().toString());
    try {
      rows.write().mode(SaveMode.Overwrite).parquet(written.uri());
      return train(spark, ranks, all);
    } finally {
      written.delete(spark);
    }
  }

  /**
   * Trains on files that every executor sees.
   *
   * @param spark runs the job
   * @param ranks how many executors train, at least 1
   * @param options those of {@code train} by name; paths are those of the executors
   * @return what rank 0 has written
   * @throws UsageException if an option is wrong
   */
  public static TunedModel train(SparkSession spark, int ranks, Map<String, ?> options) {
    requireRanks(ranks);
    Map<String, Object> given = TrainingConfig.OPTIONS.write(TrainingConfig.of(options));
    String job = UUID.randomUUID().toString();
    List<Integer> numbers = IntStream.range(0, ranks).boxed().toList();
    RDD<Integer> tasks =
        JavaSparkContext.fromSparkContext(spark.sparkContext()).parallelize(numbers, ranks).rdd();
    ClassTag<TunedModel> type = ClassTag$.MODULE$.apply(TunedModel.class);
    RDD<TunedModel> tuned =
        tasks
            .barrier()
            .mapPartitions(
                FunctionConverters.asScalaFromFunction(new RankTask(job, given)), false, type);
    try {
      // Spark repeats a stage of barrier tasks only if another one comes after it.
      return tuned.toJavaRDD().repartition(1).collect().get(0);
    } catch (RuntimeException e) {
      throw tooFewExecutors(e) ? new DpoException(TOO_FEW.formatted(ranks), e) : e;
    } finally {
      new Attempts(job, outputFolder(given)).done(); // also after a failure
    }
  }

  /** The folder of the options, which all executors and the driver see. */
  static Path outputFolder(Map<String, Object> options) {
    return Path.of(String.valueOf(options.get("output_dir"))).toAbsolutePath();
  }

  private static boolean tooFewExecutors(RuntimeException failure) {
    return String.valueOf(failure.getMessage()).contains("SPARK-24819");
  }

  private static void requireRanks(int ranks) {
    if (ranks < 1) {
      throw new UsageException("ranks", "must be at least 1", "was " + ranks, "");
    }
  }
}
