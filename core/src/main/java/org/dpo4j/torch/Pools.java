package org.dpo4j.torch;

import com.sun.jna.Function;
import java.util.List;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;

/**
 * How many threads one operation uses. libtorch keeps that number for each thread, OpenBLAS for the
 * whole process, and the last bits of a product depend on it. So there are two kinds of work, and
 * only one of them goes on at a time in the process:
 *
 * <ul>
 *   <li>{@link #single}: an operation runs on the thread that calls it. Passes and the optimizer
 *       work so, any number of them beside each other.
 *   <li>{@link #spread}: an operation runs on several threads, for work outside passes. It waits
 *       until nobody works in the first way, and is alone.
 * </ul>
 *
 * <p>A hold is closed by the thread that opened it, within the method that opened it: nothing is
 * held while a pass is merely open. Waiting threads are served in their order.
 */
public final class Pools {

  private static final ReentrantReadWriteLock LOCK = new ReentrantReadWriteLock(true);
  private static final Blas BLAS = new Blas();

  private Pools() {}

  /** Ends when it is closed. */
  public interface Hold extends AutoCloseable {
    @Override
    void close();
  }

  /** While open, operations of the calling thread run on it alone. Holds nest. */
  public static Hold single() {
    Engine.start();
    requireNoWorker();
    LOCK.readLock().lock();
    boolean outermost = LOCK.getReadHoldCount() == 1;
    if (!outermost) {
      return LOCK.readLock()::unlock;
    }
    setLocal(1);
    BLAS.enterSingle();
    return () -> {
      BLAS.leaveSingle();
      setLocal(Engine.threads());
      LOCK.readLock().unlock();
    };
  }

  /**
   * While open, operations of the calling thread run on {@link Engine#threads} threads, and nobody
   * else in the process computes. To be short: others wait. Holds nest.
   *
   * @throws IllegalStateException inside of {@link #single}
   */
  public static Hold spread() {
    Engine.start();
    requireNoWorker();
    if (LOCK.getReadHoldCount() > 0) {
      throw new IllegalStateException(
          "this thread computes with single threads and cannot turn to several before that ends");
    }
    LOCK.writeLock().lock();
    setLocal(Engine.threads());
    BLAS.set(Engine.threads());
    return () -> {
      LOCK.writeLock().unlock();
      BLAS.refresh();
    };
  }

  /** Its caller holds the pools and waits for it: waiting for them here would never end. */
  private static void requireNoWorker() {
    if (WorkerPool.isWorker()) {
      throw new IllegalStateException("a body that a team runs must not take the thread pools");
    }
  }

  /** Applies {@link Engine#threads} to the calling thread, and the default to the process. */
  static void refresh() {
    if (LOCK.getReadHoldCount() == 0) { // else at the end of the hold
      setLocal(Engine.threads());
    }
    BLAS.refresh();
  }

  private static void setLocal(int threads) {
    if (torch.get_num_threads() != threads) {
      torch.set_num_threads(threads);
    }
  }

  /** OpenBLAS has a pool that libtorch does not know of. */
  private static final class Blas {
    static {
      Engine.start(); // else the library may not be loaded yet, and would never be found
    }

    private final List<Function> setters =
        Loader.getLoadedLibraries().entrySet().stream()
            .filter(library -> library.getKey().startsWith("openblas"))
            .map(library -> Function.getFunction(library.getValue(), "openblas_set_num_threads"))
            .toList();
    private int singles; // threads that hold single()
    private int now; // 0: not set yet

    synchronized void enterSingle() {
      singles++;
      set(1);
    }

    synchronized void leaveSingle() {
      singles--;
      refresh();
    }

    /** Sets what the hold of this thread wants, or, with no hold in the process, the default. */
    synchronized void refresh() {
      if (singles > 0) {
        return;
      }
      if (LOCK.isWriteLockedByCurrentThread()) {
        set(Engine.threads());
      } else if (!LOCK.isWriteLocked()) {
        set(Engine.defaultThreads());
      }
    }

    synchronized void set(int threads) {
      if (now != threads) {
        setters.forEach(setter -> setter.invokeVoid(new Object[] {threads}));
        now = threads;
      }
    }
  }
}
