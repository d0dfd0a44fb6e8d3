package org.dpo4j.torch;

import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;

/**
 * Memory for a tensor that one operation needs, such as a matrix widened for a product. It is
 * reused after {@link #close}, because the page faults of new memory cost more than filling it.
 * Threads that work at the same time have a tensor each.
 */
public final class Scratch implements AutoCloseable {

  private static final FreeMemory UNUSED = new FreeMemory();

  private final Tensor memory;
  private final long count;
  private final long[] shape;

  private Scratch(Tensor memory, long count, long[] shape) {
    this.memory = memory;
    this.count = count;
    this.shape = shape;
  }

  /** Memory for an fp32 tensor, exclusive until it is closed. */
  public static Scratch of(long... shape) {
    long count = LongStream.of(shape).reduce(1, Math::multiplyExact);
    return new Scratch(UNUSED.takeOrReplace(ElementType.F32, count, count), count, shape);
  }

  /** The tensor, uninitialized, valid until this is closed. */
  public Tensor tensor() {
    return memory.narrow(0, 0, count).view(shape);
  }

  /** Frees the memory that no operation uses. */
  static void freeUnused() {
    UNUSED.free();
  }

  @Override
  public void close() {
    UNUSED.giveBack(ElementType.F32, memory);
  }
}
