package org.dpo4j.torch;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
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
 * Threads that share the work of a pass through a model. Each one runs its own part of the rows
 * through whole chains of operations, and every operation runs on the thread that called it: no
 * operation wakes a pool, and the pools of libtorch and OpenBLAS have nothing to fight about.
 *
 * <p>How work is cut depends on the number of threads alone, so that a run repeats to the last bit.
 * There is one team of each size; callers from several threads take turns, operation by operation.
 */
public final class WorkerPool {

  /** Turns of waiting before a thread sleeps: about as long as the gap between two pieces. */
  private static final int SPINS = 20_000;

  private static final Map<Integer, WorkerPool> BY_SIZE = new ConcurrentHashMap<>();

  private final List<Worker> workers = new ArrayList<>(); // all but the caller
  private final ReentrantLock turn = new ReentrantLock(true); // whose body the workers run
  private final Map<ElementType, Deque<Tensor>> chunks = new EnumMap<>(ElementType.class); // free
  private final Map<ElementType, Deque<Tensor>> blocks = new EnumMap<>(ElementType.class); // free
  private final int size;

  private WorkerPool(int size) {
    this.size = size;
    for (int i = 1; i < size; i++) {
      Worker worker = new Worker(size, i);
      workers.add(worker);
      worker.start();
    }
  }

  /** The team of {@link Engine#threads} threads. A pass keeps the team that it began with. */
  public static WorkerPool get() {
    return BY_SIZE.computeIfAbsent(Engine.threads(), WorkerPool::new);
  }

  /** Whether the calling thread is a worker of some team. */
  static boolean isWorker() {
    return Thread.currentThread() instanceof Worker;
  }

  /** How many threads there are, the caller's included. */
  public int size() {
    return size;
  }

  /**
   * Runs the body once on each thread, out of autograd's sight and in a {@link TensorScope} of its
   * own, and returns when all are done. Views made in it and changes in place are unknown to
   * autograd: nothing may be changed there that a graph outside has saved.
   *
   * @param body gets the number of its thread, from 0; must not call this method
   * @throws RuntimeException the first that a body threw, by number of thread
   */
  public void each(IntConsumer body) {
    if (turn.isHeldByCurrentThread() || isWorker()) {
      throw new IllegalStateException(
          "a body that a team runs must not hand work to a team: its threads are busy with it");
    }
    @Nullable Throwable failure;
    // Taken before the turn: whoever holds the turn never waits for the pools, so the two locks
    // cannot deadlock.
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
   * Runs each job once, on whichever thread is free for it, in the order of the list: put the most
   * expensive first. Conditions are those of {@link #each}; a job has a scope of its own. So that a
   * run repeats to the last bit, what a job computes must not depend on who runs it, nor on any
   * other job.
   */
  public void share(List<? extends Runnable> jobs) {
    AtomicInteger next = new AtomicInteger();
    each(
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
        // Autograd keeps account of views and of changes in place even where it records nothing.
        AutoDispatchBelowADInplaceOrView unaccounted = new AutoDispatchBelowADInplaceOrView()) {
      body.accept(number);
      return null;
    } catch (RuntimeException | Error e) {
      return e;
    }
  }

  /** Memory for what a pass keeps. */
  public ActivationArena slab(ElementType type) {
    return new ActivationArena(this, type);
  }

  /**
   * Memory for one large tensor that a pass keeps, its own until it is closed. Memory that is used
   * again and again, because large blocks cost more to get from the system than to fill.
   *
   * @param count of elements
   */
  public Block block(ElementType type, long count) {
    return new Block(type, takeBlock(type, count), count);
  }

  /** One tensor's memory, lent until it is closed. */
  public final class Block implements AutoCloseable {
    private final ElementType type;
    private final long count;
    private @Nullable Tensor memory;

    private Block(ElementType type, Tensor memory, long count) {
      this.type = type;
      this.memory = memory;
      this.count = count;
    }

    /**
     * Shape (count), contents undefined, valid until this is closed.
     *
     * @throws IllegalStateException if it has been
     */
    public Tensor tensor() {
      if (memory == null) {
        throw new IllegalStateException("the memory was given back");
      }
      return memory.narrow(0, 0, count);
    }

    @Override
    public void close() {
      if (memory != null) {
        give(blocks, type, memory);
        memory = null;
      }
    }
  }

  /** A free block if one is large enough; else one of them goes, so that they do not add up. */
  private Tensor takeBlock(ElementType type, long count) {
    synchronized (blocks) {
      Tensor free = take(blocks, type, count);
      if (free != null) {
        return free;
      }
      Tensor small = take(blocks, type, 0);
      if (small != null) {
        Tensors.free(small);
      }
    }
    // What is never written to costs nothing, new memory a fault for each page.
    return allocated(type, count + count / 2);
  }

  /** A free chunk of at least so many elements, the last one that was given back if it is one. */
  Tensor takeChunk(ElementType type, long count) {
    Tensor free = take(chunks, type, count);
    return free == null ? allocated(type, count) : free;
  }

  void giveChunk(ElementType type, Tensor chunk) {
    give(chunks, type, chunk);
  }

  private static @Nullable Tensor take(
      Map<ElementType, Deque<Tensor>> free, ElementType type, long count) {
    synchronized (free) { // a body of each() may ask
      Deque<Tensor> all = free.computeIfAbsent(type, key -> new ArrayDeque<>());
      for (Tensor one : all) {
        if (one.numel() >= count) {
          all.remove(one);
          return one;
        }
      }
      return null;
    }
  }

  private static void give(Map<ElementType, Deque<Tensor>> free, ElementType type, Tensor memory) {
    synchronized (free) {
      free.computeIfAbsent(type, key -> new ArrayDeque<>()).push(memory);
    }
  }

  /** Frees what passes gave back; what open ones have stays theirs. */
  public void freeUnused() {
    for (Map<ElementType, Deque<Tensor>> free : List.of(chunks, blocks)) {
      synchronized (free) {
        free.values().forEach(all -> all.forEach(Tensors::free));
        free.clear();
      }
    }
  }

  private static Tensor allocated(ElementType type, long count) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.keep(Tensors.empty(type, count));
    }
  }

  /** A thread that waits for bodies. */
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
