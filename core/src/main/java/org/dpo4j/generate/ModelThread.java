package org.dpo4j.generate;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.dpo4j.DpoException;
import org.dpo4j.model.CausalLm;
import org.dpo4j.torch.Engine;
import org.jspecify.annotations.Nullable;

/**
 * The thread of a model: generates what several callers ask for, a token of each at a time.
 *
 * <p>A request waits in a bounded queue until there is a place. Its tokens depend on nothing but
 * the request, but for the rounding of the model's products, which differs with their number of
 * rows. No tensor leaves the thread. All methods may be called by any thread.
 */
public final class ModelThread implements AutoCloseable {

  /** What becomes of a request. */
  public enum Answer {
    /** Its tokens will come. */
    TAKEN,
    /** As many requests wait as may wait. */
    FULL,
    /** The thread ends or has ended. */
    CLOSED
  }

  /** Gets the tokens of completions; called on the thread of the model, so it must not wait. */
  public interface Receiver extends Generator.Receiver {

    /** Called instead of the last {@link #ended}, after which nothing more comes. */
    void failed(Throwable reason);
  }

  /**
   * How much was done, and is to do.
   *
   * @param waiting requests that wait
   * @param running completions that grow
   * @param promptTokens tokens of the prompts that were read
   * @param tokens generated tokens
   */
  public record Load(int waiting, int running, long promptTokens, long tokens) {}

  /** A request that is worked on. */
  private final class Running implements Generator.Receiver {
    private final Receiver receiver;
    private int left;

    Running(Receiver receiver, int completions) {
      this.receiver = receiver;
      this.left = completions;
    }

    boolean isOver() {
      return left == 0;
    }

    void fail(Throwable reason) {
      if (!isOver()) {
        left = 0;
        receiver.failed(reason);
      }
    }

    @Override
    public boolean token(int completion, Generator.Token token) {
      tokens.incrementAndGet();
      if (isOver()) {
        return false;
      }
      try {
        return receiver.token(completion, token);
      } catch (RuntimeException e) {
        fail(e);
        return false;
      }
    }

    @Override
    public void ended(int completion, Generator.@Nullable Token end) {
      tokens.addAndGet(end == null ? 0 : 1);
      if (isOver()) {
        return;
      }
      try {
        receiver.ended(completion, end);
        left--;
      } catch (RuntimeException e) {
        fail(e);
      }
    }

    @Override
    public boolean cancelled() {
      return isOver() || receiver.cancelled();
    }
  }

  private final CausalLm model;
  private final Set<Integer> endTokens;
  private final int positions;
  private final int concurrent;
  private final int queueLength;
  private final int threads;
  private final Thread thread;
  private final Deque<Generator.Request> queue = new ArrayDeque<>(); // guarded by this
  private boolean closed; // guarded by this
  private boolean ended; // guarded by this
  private long deadline; // guarded by this; of running requests once it is closed
  private volatile int running;
  private final AtomicLong promptTokens = new AtomicLong();
  private final AtomicLong tokens = new AtomicLong();

  /**
   * Starts the thread.
   *
   * @param model not used by others until this is closed
   * @param endTokens ids that end a completion
   * @param positions prompt and completion together have at most so many tokens; 0 for the model's
   *     context, which is another limit
   * @param concurrent number of completions that grow at a time
   * @param queue number of requests that wait for a place; more are refused
   * @param threads that compute, as in {@link Engine#use}
   */
  public ModelThread(
      CausalLm model,
      Set<Integer> endTokens,
      int positions,
      int concurrent,
      int queue,
      int threads) {
    this.model = model;
    this.endTokens = Set.copyOf(endTokens);
    this.positions =
        positions == 0 ? model.maxPositions() : Math.min(positions, model.maxPositions());
    this.concurrent = concurrent;
    this.queueLength = queue;
    this.threads = threads;
    this.thread = new Thread(this::work, "model");
    this.thread.setDaemon(true);
    this.thread.start();
  }

  /** The most tokens of prompt and completion together. */
  public int positions() {
    return positions;
  }

  /** Whether it takes no more requests. */
  public synchronized boolean isClosed() {
    return closed;
  }

  /** Numbers for monitoring. */
  public synchronized Load load() {
    return new Load(queue.size(), running, promptTokens.get(), tokens.get());
  }

  /**
   * Hands in a request.
   *
   * @param request whose {@code maxNewTokens} is lowered to what fits after the prompt
   * @param receiver gets the tokens, unless the request is not taken
   * @throws DpoException if the prompt is empty, leaves no place for a token or has an id outside
   *     the vocabulary
   */
  public Answer submit(Generator.Request request, Receiver receiver) {
    Generator.check(model, positions, request.prompt());
    Generator.Request fitting =
        new Generator.Request(
            request.prompt(),
            request.number(),
            request.completions(),
            Math.min(request.maxNewTokens(), positions - request.prompt().length),
            request.sampler(),
            request.seed(),
            request.alternatives(),
            new Running(receiver, request.completions()));
    synchronized (this) {
      if (closed) {
        return Answer.CLOSED;
      }
      if (queue.size() >= queueLength) {
        return Answer.FULL;
      }
      queue.add(fitting);
      notifyAll();
      return Answer.TAKEN;
    }
  }

  private void work() {
    try (Engine.Threads computing = Engine.use(threads)) {
      while (awaitWork()) {
        // Without work, the keys and values of the longest completion so far would take memory.
        try (GrowingBatch batch = new GrowingBatch(model, endTokens, concurrent)) {
          work(batch);
        }
      }
    } finally {
      synchronized (this) {
        ended = true;
        notifyAll();
      }
    }
  }

  /** Waits for a request; returns whether there is one. */
  private synchronized boolean awaitWork() {
    while (queue.isEmpty() && !closed) {
      try {
        wait();
      } catch (InterruptedException e) {
        closed = true; // nobody but the JVM interrupts this thread
      }
    }
    return !queue.isEmpty();
  }

  /** Generates until nothing is left. */
  private void work(GrowingBatch batch) {
    List<Running> all = new ArrayList<>();
    try {
      do {
        Generator.Request next = batch.hasRoom() ? next() : null;
        // A prompt is read between two tokens of the others, so that none of them waits for long.
        if (next != null) {
          begin(next, batch, all);
        }
        if (isOverdue()) {
          all.forEach(request -> request.fail(closing()));
        }
        batch.step();
        all.removeIf(Running::isOver);
        running = batch.unfinished();
      } while (!batch.isIdle());
    } catch (RuntimeException | Error e) {
      // Nothing is known about the completions that grew together; later requests get a new batch.
      all.forEach(request -> request.fail(e));
    }
    running = 0;
  }

  private void begin(Generator.Request request, GrowingBatch batch, List<Running> all) {
    Running receiver = (Running) request.receiver();
    if (receiver.cancelled()) {
      return;
    }
    all.add(receiver);
    try {
      batch.begin(request);
      promptTokens.addAndGet(request.prompt().length);
    } catch (RuntimeException | Error e) {
      receiver.fail(e);
    }
  }

  private synchronized Generator.@Nullable Request next() {
    return queue.poll();
  }

  private synchronized boolean isOverdue() {
    return closed && System.nanoTime() - deadline > 0;
  }

  private static DpoException closing() {
    return new DpoException("generation is being stopped");
  }

  /**
   * Ends the thread: requests that wait fail at once, and those that run after some time.
   *
   * @param patience with running requests
   */
  public void close(Duration patience) {
    List<Generator.Request> waiting;
    synchronized (this) {
      if (!closed) {
        closed = true;
        deadline = System.nanoTime() + patience.toNanos();
      }
      waiting = List.copyOf(queue);
      queue.clear();
      notifyAll();
    }
    waiting.forEach(request -> ((Running) request.receiver()).fail(closing()));
    boolean interrupted = false;
    synchronized (this) {
      while (!ended) {
        try {
          wait();
        } catch (InterruptedException e) {
          interrupted = true; // the model must not be closed while it computes
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Ends the thread at once; running requests fail. */
  @Override
  public void close() {
    close(Duration.ZERO);
  }
}
