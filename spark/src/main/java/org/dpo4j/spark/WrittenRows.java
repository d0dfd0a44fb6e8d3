package org.dpo4j.spark;

import java.io.IOException;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Rows that ranks read as files.
 *
 * @param uri of a folder that all executors see
 */
record WrittenRows(String uri) {

  private static final Logger LOG = LoggerFactory.getLogger(WrittenRows.class);

  /** Deletes the files; the job has its result even if they are left. */
  void delete(SparkSession spark) {
    try {
      Path path = new Path(uri);
      path.getFileSystem(spark.sparkContext().hadoopConfiguration()).delete(path, true);
    } catch (IOException e) {
      LOG.warn("the rows in {} are left: {}", uri, e.getMessage());
    }
  }
}
