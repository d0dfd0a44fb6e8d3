package org.dpo4j.spark;

import java.io.Serializable;
import org.apache.spark.Partition;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.PartitionCoalescer;
import org.apache.spark.rdd.PartitionGroup;
import org.apache.spark.rdd.RDD;
import scala.Option;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/**
 * All partitions one after the other in one task, which reads them as a stream. Spark's own way to
 * fewer partitions joins those that are near each other, in no order.
 */
final class OrderedRead implements PartitionCoalescer, Serializable {
  private static final long serialVersionUID = 1;

  private OrderedRead() {}

  static JavaRDD<int[][]> inOneTask(JavaRDD<int[][]> partitions) {
    ClassTag<int[][]> type = ClassTag$.MODULE$.apply(int[][].class);
    RDD<int[][]> joined =
        partitions.rdd().coalesce(1, false, Option.apply(new OrderedRead()), null);
    return new JavaRDD<>(joined, type);
  }

  @Override
  public PartitionGroup[] coalesce(int most, RDD<?> parent) {
    PartitionGroup all = new PartitionGroup(Option.empty());
    for (Partition partition : parent.partitions()) {
      all.partitions().addOne(partition);
    }
    return new PartitionGroup[] {all};
  }
}
