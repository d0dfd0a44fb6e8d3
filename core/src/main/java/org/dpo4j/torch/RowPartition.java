package org.dpo4j.torch;

import org.bytedeco.pytorch.Tensor;

/**
 * Rows shared out among threads in their order, as evenly as goes; a thread may get none where rows
 * are fewer than threads.
 *
 * @param count of the rows
 * @param threads that get rows, the first ones of a team
 */
public record RowPartition(int count, int threads) {

  /** The shares of a team's threads. */
  public static RowPartition of(WorkerPool workers, int count) {
    return new RowPartition(count, Math.min(workers.size(), count));
  }

  /** Whether a thread has rows. */
  public boolean has(int thread) {
    return thread < threads;
  }

  /** The first row of a thread that has some; of the one after the last such thread, the count. */
  public int from(int thread) {
    return (int) ((long) count * thread / threads);
  }

  /** Of a tensor with {@code count} places in one dimension those of a thread, a view. */
  public Tensor of(Tensor all, int dim, int thread) {
    return Tensors.rows(all, dim, from(thread), from(thread + 1));
  }
}
