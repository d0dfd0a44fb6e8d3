package org.dpo4j.encode;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Does work on several threads and hands the results over in the order in which the work came. One
 * thread brings work and takes results, and works along while it would have to wait; of the work
 * that is not handed over, a bounded number of pieces is in memory.
 *
 * @param <R> a result
 */
final class OrderedWork<R> implements AutoCloseable {
  private static final int PIECES_OF_A_THREAD = 4;

  private final @Nullable ExecutorService helpers; // null: the calling thread does it all
  private final int most;
  private final Consumer<R> results;
  private final Queue<FutureTask<R>> waiting = new ArrayDeque<>();

  /**
   * @param threads that work, the calling one included; at least 1
   * @param results takes each result, on the calling thread
   */
  OrderedWork(int threads, Consumer<R> results) {
    this.helpers = threads == 1 ? null : Executors.newFixedThreadPool(threads - 1, this::helper);
    this.most = threads == 1 ? 1 : PIECES_OF_A_THREAD * threads;
    this.results = results;
  }

  private Thread helper(Runnable work) {
    Thread thread = new Thread(work, "encode");
    thread.setDaemon(true); // Ctrl-C must not wait for it
    return thread;
  }

  /** Brings work; hands over results when too many are waiting. What work threw is thrown then. */
  void add(Supplier<R> work) {
    if (waiting.size() == most) {
      handOverFirst();
    }
    FutureTask<R> task = new FutureTask<>(work::get);
    waiting.add(task);
    if (helpers != null) {
      helpers.execute(task);
    }
  }

  /** Hands over all results. */
  void finish() {
    while (!waiting.isEmpty()) {
      handOverFirst();
    }
  }

  private void handOverFirst() {
    FutureTask<R> first = waiting.element();
    for (FutureTask<R> task : waiting) {
      if (first.isDone()) {
        break;
      }
      task.run(); // does nothing where a helper has begun it
    }
    R result = result(first);
    waiting.remove();
    results.accept(result);
  }

  private static <R> R result(FutureTask<R> task) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return task.get();
        } catch (InterruptedException e) {
          interrupted = true; // as a loop without threads would
        } catch (ExecutionException e) {
          if (e.getCause() instanceof RuntimeException problem) {
            throw problem;
          } else if (e.getCause() instanceof Error problem) {
            throw problem;
          }
          throw new IllegalStateException(e.getCause());
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Drops work that nobody has begun and waits for the rest: afterwards no thread works on it. */
  @Override
  public void close() {
    if (helpers == null) {
      return;
    }
    waiting.forEach(task -> task.cancel(false));
    helpers.shutdown();
    boolean interrupted = false;
    boolean ended = false;
    while (!ended) {
      try {
        ended = helpers.awaitTermination(1, TimeUnit.DAYS);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
