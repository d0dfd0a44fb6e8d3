package org.dpo4j.spark;

import java.io.Serializable;
import java.util.Arrays;
import org.apache.spark.Partitioner;
import org.dpo4j.reference.ReferenceKey;

/**
 * How the examples of a data set are cut into batches.
 *
 * @param examples their number and the hash of their ids
 * @param ends the number of the first example after each batch, ascending
 * @param hashes of the ids of each batch, by which a task knows that its rows came again
 */
@SuppressWarnings("ArrayRecordComponent") // 12 bytes a batch, of which there may be millions
record ReferencePlan(ReferenceKey.IdsHash examples, int[] ends, long[] hashes)
    implements Serializable {

  int batches() {
    return ends.length;
  }

  /** The number of the batch that begins with an example. */
  int batchFrom(int example) {
    return example == 0 ? 0 : Arrays.binarySearch(ends, example) + 1;
  }

  /** Examples of so many neighbouring batches go to one task, in their order. */
  Partitioner partitioner(int batches) {
    int tasks = (ends.length + batches - 1) / batches;
    int[] lastOfTask = new int[tasks];
    for (int task = 0; task < tasks; task++) {
      lastOfTask[task] = ends[Math.min((task + 1) * batches, ends.length) - 1];
    }
    return new ByNumber(lastOfTask);
  }

  /** The task of an example by its number. */
  private static final class ByNumber extends Partitioner {
    private static final long serialVersionUID = 1;

    private final int[] ends;

    ByNumber(int[] ends) {
      this.ends = ends;
    }

    @Override
    public int numPartitions() {
      return ends.length;
    }

    @Override
    public int getPartition(Object key) {
      int found = Arrays.binarySearch(ends, Math.toIntExact((Long) key) + 1);
      return found >= 0 ? found : -found - 1;
    }
  }
}
