package org.dpo4j.torch;

import com.sun.jna.Function;
import java.util.List;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;

/**
 * Controls how many threads one operation uses. libtorch keeps that number per thread, OpenBLAS for
 * the whole process, and the last bits of a product depend on it. The process therefore works in
 * one of two modes at a time:
 *
 * <ul>
 *   <li>{@link #single}: an operation runs on the thread that calls it. Passes and the optimizer
 *       use this mode; any number of threads can hold it at the same time.
 *   <li>{@link #spread}: an operation runs on several threads, for work outside passes. One thread
 *       holds it, after all holds of the other mode have been closed.
 * </ul>
 *
 * <p>A hold must be closed by the thread that opened it, in the same method: an open pass holds
 * nothing between its calls. Waiting threads are served in order.
 */
public final class Pools {

  private static final ReentrantReadWriteLock LOCK = new ReentrantReadWriteLock(true);
  private static final Blas BLAS = new Blas();

  private static volatile boolean aroundProducts; // of the thread that holds the write lock

  private Pools() {}

  /** Holds a mode until it is closed. */
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
   * While open, operations of the calling thread run on {@link Engine#threads} threads, and no
   * other thread of the process holds a mode. Keep it short: others wait. Holds nest.
   *
   * @throws IllegalStateException if this thread holds {@link #single}
   */
  public static Hold spread() {
    return spread(Engine.threads());
  }

  /**
   * As {@link #spread}, except that a product of OpenBLAS runs on the thread that calls it. The
   * threads of OpenBLAS spin while they wait, and callers of it on several threads, as in
   * attention, wait for each other: where products are small or other work wants the cores, that
   * costs many times what it saves. A {@link #spread} inside changes nothing.
   */
  public static Hold spreadAroundProducts() {
    return spread(1);
  }

  /** Whether the calling thread holds {@link #spreadAroundProducts} and has several threads. */
  static boolean isSpreadAroundProducts() {
    return LOCK.isWriteLockedByCurrentThread() && aroundProducts;
  }

  private static Hold spread(int ofBlas) {
    Engine.start();
    requireNoWorker();
    if (LOCK.getReadHoldCount() > 0) {
      throw new IllegalStateException(
          "this thread holds the mode of single threads and must close it before it uses several");
    }
    LOCK.writeLock().lock();
    if (LOCK.getWriteHoldCount() > 1) {
      return LOCK.writeLock()::unlock;
    }
    setLocal(Engine.threads());
    aroundProducts = ofBlas < Engine.threads();
    BLAS.enterSpread(ofBlas);
    return () -> {
      LOCK.writeLock().unlock();
      BLAS.refresh();
    };
  }

  /**
   * The caller of a worker holds the mode and waits for the worker, so waiting here would deadlock.
   */
  private static void requireNoWorker() {
    if (WorkerPool.isWorker()) {
      throw new IllegalStateException(
          "work that a pool runs must not change the mode of the thread pools");
    }
  }

  /** Applies {@link Engine#threads} to the calling thread, and the default to the process. */
  static void refresh() {
    if (LOCK.getReadHoldCount() == 0) { // else when the hold is closed
      setLocal(Engine.threads());
    }
    BLAS.refresh();
  }

  private static void setLocal(int threads) {
    if (torch.get_num_threads() != threads) {
      torch.set_num_threads(threads);
    }
  }

  /** OpenBLAS has its own thread pool, which libtorch's settings do not change. */
  private static final class Blas {
    static {
      Engine.start(); // loads the library that is looked up below
    }

    private final List<Function> setters =
        Loader.getLoadedLibraries().entrySet().stream()
            .filter(library -> library.getKey().startsWith("openblas"))
            .map(library -> Function.getFunction(library.getValue(), "openblas_set_num_threads"))
            .toList();
    private int singles; // number of threads that hold single()
    private int spread; // for the thread that holds spread()
    private int now; // 0 if not set yet

    synchronized void enterSingle() {
      singles++;
      set(1);
    }

    synchronized void enterSpread(int threads) {
      spread = threads;
      set(threads);
    }

    synchronized void leaveSingle() {
      singles--;
      refresh();
    }

    /**
     * Sets the number for this thread's hold, or the default if there is no hold in the process.
     */
    synchronized void refresh() {
      if (singles > 0) {
        return;
      }
      if (LOCK.isWriteLockedByCurrentThread()) {
        set(spread);
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
