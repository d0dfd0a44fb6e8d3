package org.dpo4j.torch;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntConsumer;
import org.bytedeco.pytorch.AutoDispatchBelowADInplaceOrView;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The threads that compute a pass through a model. Each thread runs its rows through whole chains
 * of operations, and every operation runs on the thread that calls it, so that the thread pools of
 * libtorch and OpenBLAS stay idle.
 *
 * <p>Work is divided by the number of threads alone, so that a run repeats to the last bit. There
 * is one pool of each size; callers on several threads take turns, call by call.
 */
public final class WorkerPool {

  /** Spins before a waiting thread parks: about the time between two calls in a pass. */
  private static final int SPINS = 20_000;

  private static final Map<Integer, WorkerPool> BY_SIZE = new ConcurrentHashMap<>();

  private final List<Worker> workers = new ArrayList<>(); // all threads but the caller's
  private final ReentrantLock turn = new ReentrantLock(true); // held by the caller whose body runs
  private final FreeMemory chunks = new FreeMemory();
  private final FreeMemory buffers = new FreeMemory();
  private final int size;

  private WorkerPool(int size) {
    this.size = size;
    for (int i = 1; i < size; i++) {
      Worker worker = new Worker(size, i);
      workers.add(worker);
      worker.start();
    }
  }

  /** The pool of {@link Engine#threads} threads. A pass keeps the pool that it started with. */
  public static WorkerPool get() {
    return BY_SIZE.computeIfAbsent(Engine.threads(), WorkerPool::new);
  }

  /** Whether the calling thread is a worker of some pool. */
  static boolean isWorker() {
    return Thread.currentThread() instanceof Worker;
  }

  /** Number of threads, including the caller's. */
  public int size() {
    return size;
  }

  /**
   * Runs the body once on each thread and returns when all have finished. Each body runs in its own
   * {@link TensorScope}, with autograd off: autograd does not see views and changes in place, so
   * the body must not change a tensor that a graph has saved.
   *
   * @param body receives the index of its thread, from 0; must not call the pool
   * @throws RuntimeException the exception of the thread with the lowest index, if bodies threw
   * @throws IllegalStateException if a body calls the pool
   */
  public void runOnEach(IntConsumer body) {
    if (turn.isHeldByCurrentThread() || isWorker()) {
      throw new IllegalStateException(
          "work that a pool runs must not call a pool: its threads are busy");
    }
    @Nullable Throwable failure;
    // Before the turn: whoever holds the turn never waits for the hold, so they cannot deadlock.
    try (Pools.Hold hold = Pools.single()) {
      failure = size == 1 ? attempt(body, 0) : onAll(body);
    }
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure instanceof RuntimeException exception) {
      throw exception;
    }
  }

  private @Nullable Throwable onAll(IntConsumer body) {
    turn.lock();
    try {
      workers.forEach(worker -> worker.begin(body));
      Throwable failure = attempt(body, 0);
      for (Worker worker : workers) {
        Throwable other = worker.await();
        failure = failure == null ? other : failure;
      }
      return failure;
    } finally {
      turn.unlock();
    }
  }

  /**
   * Runs every job once, on the next free thread, in the order of the list. Put the most expensive
   * jobs first. The rules are those of {@link #runOnEach}; each job runs in its own scope. What a
   * job computes must not depend on its thread or on other jobs, so that a run repeats to the last
   * bit.
   */
  public void runJobs(List<? extends Runnable> jobs) {
    AtomicInteger next = new AtomicInteger();
    runOnEach(
        thread -> {
          for (int i = next.getAndIncrement(); i < jobs.size(); i = next.getAndIncrement()) {
            try (TensorScope scope = TensorScope.open()) {
              jobs.get(i).run();
            }
          }
        });
  }

  private static @Nullable Throwable attempt(IntConsumer body, int number) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open();
        // Autograd tracks views and changes in place even if it records no gradients.
        AutoDispatchBelowADInplaceOrView untracked = new AutoDispatchBelowADInplaceOrView()) {
      body.accept(number);
      return null;
    } catch (RuntimeException | Error e) {
      return e;
    }
  }

  /** An empty arena for the activations that a pass saves. */
  public ActivationArena arena(ElementType type) {
    return new ActivationArena(this, type);
  }

  /**
   * Memory for one large tensor that a pass saves. It is reused after {@link Buffer#close}, because
   * the page faults of new memory cost more than filling it.
   *
   * @param count number of elements
   */
  public Buffer buffer(ElementType type, long count) {
    return new Buffer(type, takeBuffer(type, count), count);
  }

  /** Memory of one tensor, exclusive until it is closed. */
  public final class Buffer implements AutoCloseable {
    private final ElementType type;
    private final long count;
    private @Nullable Tensor memory;

    private Buffer(ElementType type, Tensor memory, long count) {
      this.type = type;
      this.memory = memory;
      this.count = count;
    }

    /**
     * The tensor: shape (count), uninitialized, valid until this is closed.
     *
     * @throws IllegalStateException if this is closed
     */
    public Tensor tensor() {
      if (memory == null) {
        throw new IllegalStateException("this buffer is closed");
      }
      return memory.narrow(0, 0, count);
    }

    @Override
    public void close() {
      if (memory != null) {
        buffers.giveBack(type, memory);
        memory = null;
      }
    }
  }

  private Tensor takeBuffer(ElementType type, long count) {
    // Half as much again for the next, larger batch; pages that are never written take no memory.
    return buffers.takeOrReplace(type, count, count + count / 2);
  }

  /** A chunk of at least {@code count} elements, preferably the one that was used last. */
  Tensor takeChunk(ElementType type, long count) {
    Tensor free = chunks.take(type, count);
    return free == null ? FreeMemory.allocate(type, count) : free;
  }

  void giveBackChunk(ElementType type, Tensor chunk) {
    chunks.giveBack(type, chunk);
  }

  /** Frees the memory that no open pass uses. */
  public void freeUnused() {
    chunks.free();
    buffers.free();
    Scratch.freeUnused();
  }

  /** A thread that waits for a body and runs it. */
  private static final class Worker extends Thread {
    private final int number;
    private final Semaphore finished = new Semaphore(0);
    private volatile @Nullable IntConsumer body;
    private @Nullable Throwable failure;

    Worker(int size, int number) {
      super("dpo4j-" + number + "-of-" + size);
      this.number = number;
      setDaemon(true);
    }

    void begin(IntConsumer work) {
      body = work;
      LockSupport.unpark(this);
    }

    @Nullable Throwable await() {
      for (int i = 0; i < SPINS && finished.availablePermits() == 0; i++) {
        Thread.onSpinWait();
      }
      finished.acquireUninterruptibly();
      return failure;
    }

    @Override
    public void run() {
      torch.set_num_threads(1);
      while (true) {
        IntConsumer work = body;
        for (int i = 0; i < SPINS && work == null; i++) {
          Thread.onSpinWait();
          work = body;
        }
        if (work == null) {
          LockSupport.park(this);
          continue;
        }
        body = null;
        failure = attempt(work, number);
        finished.release();
      }
    }
  }
}
