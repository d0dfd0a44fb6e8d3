package org.dpo4j.torch;

import java.util.ArrayDeque;
import java.util.Deque;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Memory for what lives as long as a pass through a model: taken piece by piece, given back all at
 * once, used again by the next pass. What is kept does not lie between what is not, so that the
 * heap has no holes when the latter is freed.
 *
 * @see WorkerPool#slab
 */
public final class ActivationArena implements AutoCloseable {

  /** Bytes of a chunk. The system provides what is written to and no more. */
  private static final long CHUNK = 64L << 20;

  /** Elements: each tensor begins on a cache line. */
  private static final long ALIGNMENT = 16;

  private final WorkerPool workers;
  private final ElementType type;
  private final Deque<Tensor> chunks = new ArrayDeque<>(); // the last one first
  private long used; // elements of the first chunk

  ActivationArena(WorkerPool workers, ElementType type) {
    this.workers = workers;
    this.type = type;
  }

  /**
   * Room for a tensor; any thread may take it.
   *
   * @return contents undefined, valid until this is closed
   */
  public synchronized Tensor take(long... shape) {
    long count = 1;
    for (long side : shape) {
      count *= side;
    }
    Tensor chunk = chunks.peek();
    if (chunk == null || used + count > chunk.numel()) {
      chunk = workers.takeChunk(type, Math.max(count, CHUNK / type.bytes()));
      chunks.push(chunk);
      used = 0;
    }
    Tensor room = chunk.narrow(0, used, count).view(shape);
    used += (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return room;
  }

  @Override
  public synchronized void close() {
    @Nullable Tensor chunk;
    while ((chunk = chunks.poll()) != null) {
      workers.giveChunk(type, chunk);
    }
  }
}
