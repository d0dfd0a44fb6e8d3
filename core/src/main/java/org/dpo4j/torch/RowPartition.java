package org.dpo4j.torch;

import org.bytedeco.pytorch.Tensor;

/**
 * Contiguous rows divided evenly among the first threads of a pool. With fewer rows than threads,
 * some threads have none.
 *
 * @param count number of rows
 * @param threads number of threads that have rows
 */
public record RowPartition(int count, int threads) {

  /** The rows of each thread of a pool. */
  public static RowPartition of(WorkerPool workers, int count) {
    return new RowPartition(count, Math.min(workers.size(), count));
  }

  /** Whether a thread has rows. */
  public boolean has(int thread) {
    return thread < threads;
  }

  /** The first row of a thread; {@code count} for the thread after the last one that has rows. */
  public int from(int thread) {
    return (int) ((long) count * thread / threads);
  }

  /**
   * A view of a thread's rows.
   *
   * @param all of size {@code count} in dimension {@code dim}
   */
  public Tensor of(Tensor all, int dim, int thread) {
    return Tensors.rows(all, dim, from(thread), from(thread + 1));
  }
}
