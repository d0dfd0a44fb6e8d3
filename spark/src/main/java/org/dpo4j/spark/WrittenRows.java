package org.dpo4j.spark;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/**
 * Rows that ranks read as files.
 *
 * @param folder that all executors see
 */
record WrittenRows(String folder) {

  /** A folder next to the output folder. */
  static WrittenRows beside(String output) {
    return new WrittenRows(output.replaceFirst("/+$", "") + ".pairs");
  }

  void delete(SparkSession spark) {
    try {
      Path path = new Path(folder);
      path.getFileSystem(spark.sparkContext().hadoopConfiguration()).delete(path, true);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
