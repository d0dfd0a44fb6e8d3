package org.dpo4j.torch;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Memory that was used and is kept for the next use, because the page faults of new memory cost
 * more than filling it. Threads may call this at the same time.
 */
final class FreeMemory {

  private final Map<ElementType, Deque<Tensor>> unused = new EnumMap<>(ElementType.class);

  /** Memory for at least {@code count} elements, preferably that used last; null for none. */
  synchronized @Nullable Tensor take(ElementType type, long count) {
    Deque<Tensor> all = unused.computeIfAbsent(type, key -> new ArrayDeque<>());
    for (Tensor one : all) {
      if (one.numel() >= count) {
        all.remove(one);
        return one;
      }
    }
    return null;
  }

  /**
   * As {@link #take}, or else new memory in place of what is too small.
   *
   * @param newCount number of elements of new memory
   */
  Tensor takeOrReplace(ElementType type, long count, long newCount) {
    synchronized (this) {
      Tensor free = take(type, count);
      if (free != null) {
        return free;
      }
      Tensor small = take(type, 0);
      if (small != null) {
        Tensors.free(small);
      }
    }
    return allocate(type, newCount);
  }

  /** New memory, outside all scopes. */
  static Tensor allocate(ElementType type, long count) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.disown(Tensors.empty(type, count));
    }
  }

  synchronized void giveBack(ElementType type, Tensor memory) {
    unused.computeIfAbsent(type, key -> new ArrayDeque<>()).push(memory);
  }

  /** Frees all memory that is not in use. */
  synchronized void free() {
    unused.values().forEach(all -> all.forEach(Tensors::free));
    unused.clear();
  }
}
