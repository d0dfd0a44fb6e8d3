/**
 * dpo4j on Apache Spark: what fits no one machine, computed by the executors of a cluster.
 *
 * <p>A {@code Dataset<Row>} enters. From {@link org.dpo4j.spark.SparkScoring} leaves a {@code
 * Dataset<Row>} with the columns of the command {@code score}; from {@link
 * org.dpo4j.spark.SparkEvaluation} the figures of {@code eval}; from {@link
 * org.dpo4j.spark.SparkReference} the file of the reference cache that {@code train} reads; from
 * {@link org.dpo4j.spark.SparkTuning} a tuned model. Executors read models from paths that they
 * see; the driver gets numbers, never a row.
 *
 * <p>Start with {@link org.dpo4j.spark.SparkScoring}. {@link org.dpo4j.spark.Main} is what {@code
 * spark-submit} starts.
 */
@NullMarked
package org.dpo4j.spark;

import org.jspecify.annotations.NullMarked;
