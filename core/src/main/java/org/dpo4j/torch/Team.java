package org.dpo4j.torch;

import com.sun.jna.Function;
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
import java.util.function.IntConsumer;
import org.bytedeco.javacpp.Loader;
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
 */
public final class Team {

  /** Turns of waiting before a thread sleeps: about as long as the gap between two pieces. */
  private static final int SPINS = 20_000;

  private static @Nullable Team current;

  private final List<Worker> workers = new ArrayList<>(); // all but the caller
  private final Map<String, Tensor> scratch = new ConcurrentHashMap<>();
  private final Map<ElementType, Deque<Tensor>> chunks = new EnumMap<>(ElementType.class); // free
  private final int size;

  private Team(int size) {
    this.size = size;
    for (int i = 1; i < size; i++) {
      Worker worker = new Worker(i);
      workers.add(worker);
      worker.start();
    }
  }

  /** The team of {@link Engine#threads} threads; made anew when that number changes. */
  public static synchronized Team get() {
    int threads = Engine.threads();
    if (current != null && current.size != threads) {
      current.dissolve();
      current = null;
    }
    if (current == null) {
      current = new Team(threads);
    }
    return current;
  }

  /** How many threads there are, the caller's included. */
  public int size() {
    return size;
  }

  /**
   * While open, operations of the calling thread run on it alone; to be open around {@link #each}.
   * Sessions nest.
   */
  public static Session session() {
    return new Session();
  }

  /** Restores the threads of single operations when it is closed. */
  public static final class Session implements AutoCloseable {
    private final int before = torch.get_num_threads();

    private Session() {
      setPools(1);
    }

    @Override
    public void close() {
      setPools(before);
    }
  }

  /** Sets the threads of one operation in both pools, for the calling thread. */
  static void setPools(int threads) {
    if (torch.get_num_threads() != threads) {
      torch.set_num_threads(threads);
      Blas.setThreads(threads);
    }
  }

  /** OpenBLAS has a pool that libtorch does not know of. */
  private static final class Blas {
    private static final List<Function> SETTERS =
        Loader.getLoadedLibraries().entrySet().stream()
            .filter(library -> library.getKey().startsWith("openblas"))
            .map(library -> Function.getFunction(library.getValue(), "openblas_set_num_threads"))
            .toList();

    static void setThreads(int threads) {
      SETTERS.forEach(setter -> setter.invokeVoid(new Object[] {threads}));
    }
  }

  /**
   * Runs the body once on each thread, out of autograd's sight and in a {@link TensorScope} of its
   * own, and returns when all are done. One caller at a time. Views made in it and changes in place
   * are unknown to autograd: nothing may be changed there that a graph outside has saved.
   *
   * @param body gets the number of its thread, from 0
   * @throws RuntimeException the first that a body threw, by number of thread
   */
  public synchronized void each(IntConsumer body) {
    workers.forEach(worker -> worker.begin(body));
    Throwable failure = attempt(body, 0);
    for (Worker worker : workers) {
      Throwable other = worker.await();
      failure = failure == null ? other : failure;
    }
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure instanceof RuntimeException exception) {
      throw exception;
    }
  }

  /**
   * Runs each job once, on whichever thread is free for it, in the order of the list: the dearest
   * are best first. Conditions are those of {@link #each}; a job has a scope of its own. So that a
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

  /**
   * Memory that is used again and again: large blocks cost more to get from the system than to
   * fill.
   *
   * @param name of the use; one use at a time
   * @return shape {@code shape}, contents undefined, valid until the next call with that name
   */
  public Tensor scratch(String name, ElementType type, long... shape) {
    long count = 1;
    for (long side : shape) {
      count *= side;
    }
    long needed = count;
    Tensor memory =
        scratch.compute(
            name + type,
            (key, before) ->
                before != null && before.numel() >= needed
                    ? before
                    // What is never written to costs nothing, new memory a fault for each page.
                    : grown(before, type, needed + needed / 2));
    return memory.narrow(0, 0, count).view(shape);
  }

  /** Memory for what a pass keeps. */
  public Slab slab(ElementType type) {
    return new Slab(this, type);
  }

  /** A free chunk of at least so many elements, the last one that was given back if it is one. */
  Tensor takeChunk(ElementType type, long count) {
    synchronized (chunks) { // a body of each() may ask
      Deque<Tensor> free = free(type);
      for (Tensor chunk : free) {
        if (chunk.numel() >= count) {
          free.remove(chunk);
          return chunk;
        }
      }
    }
    return grown(null, type, count);
  }

  void giveChunk(ElementType type, Tensor chunk) {
    synchronized (chunks) {
      free(type).push(chunk);
    }
  }

  private Deque<Tensor> free(ElementType type) {
    return chunks.computeIfAbsent(type, key -> new ArrayDeque<>());
  }

  /** Frees all memory of {@link #scratch} and {@link #slab}; nothing may be in use. */
  public void freeScratch() {
    scratch.values().forEach(Tensors::free);
    scratch.clear();
    synchronized (chunks) {
      chunks.values().forEach(free -> free.forEach(Tensors::free));
      chunks.clear();
    }
  }

  private static Tensor grown(@Nullable Tensor before, ElementType type, long count) {
    if (before != null) {
      Tensors.free(before);
    }
    try (TensorScope scope = TensorScope.open()) {
      return scope.keep(Tensors.empty(type, count));
    }
  }

  private void dissolve() {
    workers.forEach(Worker::end);
    freeScratch();
  }

  /** A thread that waits for bodies. */
  private static final class Worker extends Thread {
    private final int number;
    private final Semaphore finished = new Semaphore(0);
    private volatile @Nullable IntConsumer body;
    private volatile boolean ended;
    private @Nullable Throwable failure;

    Worker(int number) {
      super("dpo4j-" + number);
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

    void end() {
      ended = true;
      LockSupport.unpark(this);
    }

    @Override
    public void run() {
      torch.set_num_threads(1);
      while (!ended) {
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
