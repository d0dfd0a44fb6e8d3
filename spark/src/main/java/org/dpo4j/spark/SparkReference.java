package org.dpo4j.spark;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.storage.StorageLevel;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.reference.ReferenceKey;
import org.dpo4j.run.ReferencePass;
import scala.Tuple2;

/**
 * The log-probabilities of a training run's pairs under its reference, computed by a cluster: the
 * result is the file of the reference cache that {@code train} reads with the same options, so that
 * one machine trains without a reference pass.
 *
 * <p>The file is byte for byte the one that {@code train} writes, if as many threads compute: the
 * batches are cut over all pairs in their order, whatever the partitions. Executors encode the rows
 * and keep the token ids on their disks; one task reads these in order, to hash them and to cut
 * them into batches; all tasks compute. The driver gets 8 bytes for each completion.
 */
public final class SparkReference {

  /** Batches of a task, at most: it holds their token ids, and repeats them when it fails. */
  private static final int MOST_BATCHES = 64;

  /** Tasks for each core of the cluster, so that cores that are done early get another one. */
  private static final int TASKS_PER_CORE = 4;

  private SparkReference() {}

  /**
   * Computes and stores the log-probabilities of the pairs that a run trains on.
   *
   * @param rows all rows of the run's {@code data_file}, in the order of the files; the same rows
   *     in the same order each time they are computed
   * @param options those of {@code train} by name; the driver sees {@code model}, {@code ref_model}
   *     and the folder of {@code reference_cache}, executors see the models. The default of {@code
   *     threads} is {@code spark.task.cpus}
   * @return the file; if the cache had it, it is as it was
   * @throws UsageException if an option is wrong, or the run's pairs are not its rows in their
   *     order, as with {@code eval_split}
   * @throws DpoException if no row can be used, a log-probability is not finite, or the file cannot
   *     be written
   */
  public static Path compute(Dataset<Row> rows, Map<String, ?> options) {
    return compute(rows, TrainingConfig.of(options), false);
  }

  /**
   * The same for the pairs of an evaluation set.
   *
   * @param rows all rows of a set of the run's {@code eval_file}, as in {@link #compute(Dataset,
   *     Map)}
   * @param options as in {@link #compute(Dataset, Map)}
   * @return the file
   * @throws DpoException as {@link #compute(Dataset, Map)}
   */
  public static Path computeHeldOut(Dataset<Row> rows, Map<String, ?> options) {
    return compute(rows, TrainingConfig.of(options), true);
  }

  static Path compute(Dataset<Row> rows, TrainingConfig config, boolean heldOut) {
    config.checkFolders();
    ReferencePass pass = new ReferencePass(config);
    Map<String, Object> settings = TrainingConfig.OPTIONS.write(config);
    JavaRDD<int[][]> encoded =
        rows.toJavaRDD()
            .mapPartitions(new ReferenceTasks.Encode(settings, SparkRows.untyped(rows.schema())))
            .persist(StorageLevel.DISK_ONLY());
    try {
      JavaPairRDD<int[][], Long> numbered = encoded.zipWithIndex(); // encodes all but the last
      ReferencePlan plan =
          OrderedRead.inOneTask(encoded).mapPartitions(new ReferenceTasks.Plan()).first();
      if (plan.examples().examples() == 0) {
        throw new DpoException(
            "[%s] at least one pair must be usable but none is".formatted(SparkRows.NAME));
      }
      ReferenceKey key = pass.key(plan.examples());
      Optional<Path> kept = pass.find(key);
      return kept.isPresent()
          ? kept.get()
          : pass.keep(key, heldOut, table(numbered, plan, settings));
    } finally {
      encoded.unpersist(false);
    }
  }

  private static LogProbTable table(
      JavaPairRDD<int[][], Long> numbered, ReferencePlan plan, Map<String, Object> settings) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(numbered.context());
    int tasks = TASKS_PER_CORE * Math.max(1, context.defaultParallelism());
    int batches = Math.min(MOST_BATCHES, (plan.batches() + tasks - 1) / tasks);
    Broadcast<ReferencePlan> shared = context.broadcast(plan);
    try {
      List<double[]> parts =
          numbered
              .mapToPair(Tuple2::swap)
              .repartitionAndSortWithinPartitions(plan.partitioner(batches))
              .mapPartitions(new ReferenceTasks.Compute(settings, shared))
              .collect();
      int completions = plan.examples().completions();
      double[] values = new double[completions * plan.examples().examples()];
      int filled = 0;
      for (double[] part : parts) {
        System.arraycopy(part, 0, values, filled, part.length);
        filled += part.length;
      }
      return LogProbTable.of(values, completions);
    } finally {
      shared.unpersist(false);
    }
  }
}
