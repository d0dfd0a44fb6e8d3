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
 * Runs tasks on several threads and returns their results in the order of submission. One thread
 * submits tasks and receives results, and runs tasks itself instead of waiting. The number of tasks
 * in memory is bounded.
 *
 * @param <R> the type of a result
 */
final class OrderedWork<R> implements AutoCloseable {
  private static final int PIECES_OF_A_THREAD = 4;

  private final @Nullable ExecutorService helpers; // null: the calling thread does it all
  private final int most;
  private final Consumer<R> results;
  private final Queue<FutureTask<R>> waiting = new ArrayDeque<>();

  /**
   * @param threads number of threads, including the calling one; at least 1
   * @param results receives each result, on the calling thread
   */
  OrderedWork(int threads, Consumer<R> results) {
    this.helpers = threads == 1 ? null : Executors.newFixedThreadPool(threads - 1, this::helper);
    this.most = threads == 1 ? 1 : PIECES_OF_A_THREAD * threads;
    this.results = results;
  }

  private Thread helper(Runnable work) {
    Thread thread = new Thread(work, "encode");
    thread.setDaemon(true); // does not keep the JVM alive on Ctrl-C
    return thread;
  }

  /**
   * Submits a task. Passes on results while too many are pending, and rethrows what their tasks
   * threw.
   */
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

  /** Passes on all remaining results. */
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
      task.run(); // no effect if a helper has started it
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
          interrupted = true; // as in a loop on this thread
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

  /** Drops tasks that have not started and waits for the others. */
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
