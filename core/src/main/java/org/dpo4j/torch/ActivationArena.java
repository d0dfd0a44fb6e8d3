package org.dpo4j.torch;

import java.util.ArrayDeque;
import java.util.Deque;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Arena for activations that live until the backward pass. Tensors are taken one by one and freed
 * together by {@link #close}; the next pass reuses the memory. Keeping them out of the malloc heap
 * avoids fragmentation when temporaries are freed.
 *
 * @see WorkerPool#arena
 */
public final class ActivationArena implements AutoCloseable {

  /** Bytes of a chunk. Pages that are never written take no memory. */
  private static final long CHUNK = 64L << 20;

  /** In elements: each fp32 tensor begins on a cache line of 64 bytes. */
  private static final long ALIGNMENT = 16;

  private final WorkerPool workers;
  private final ElementType type;
  private final Deque<Tensor> chunks = new ArrayDeque<>(); // the current one first
  private long used; // elements of the current chunk
  private long usedBytes; // of all chunks

  ActivationArena(WorkerPool workers, ElementType type) {
    this.workers = workers;
    this.type = type;
  }

  /**
   * Takes memory for a tensor. Threads may call this at the same time.
   *
   * @return uninitialized, contiguous, valid until this is closed
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
    Tensor tensor = chunk.narrow(0, used, count).view(shape);
    long aligned = (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    used += aligned;
    usedBytes += aligned * type.bytes();
    return tensor;
  }

  /** Bytes taken so far, including the gaps of alignment. */
  public synchronized long usedBytes() {
    return usedBytes;
  }

  @Override
  public synchronized void close() {
    @Nullable Tensor chunk;
    while ((chunk = chunks.poll()) != null) {
      workers.giveBackChunk(type, chunk);
    }
    used = 0;
    usedBytes = 0;
  }
}
