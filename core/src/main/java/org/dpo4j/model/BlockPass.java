package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.ActivationArena;
import org.dpo4j.torch.RowPartition;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;
import org.jspecify.annotations.Nullable;

/**
 * The pass of a batch through one block, and back. It runs in stages, each of which is an object
 * that only the stage before it can make, so that calls in a wrong order do not compile:
 *
 * <pre>
 * forward()      {@link Projection}          run(thread)  norm, projections, rotation
 *   attend()     {@link Completion}          run(thread)  output projection, MLP
 *   save()       {@link Saved}               what the backward pass needs
 *   backward()   {@link CompletionBackward}  run(thread)
 *   attention()  {@link AttentionBackward}   jobs()
 *   projection() {@link ProjectionBackward}  run(thread), jobs()
 * </pre>
 *
 * <p>A stage that some thread or job has not run yet refuses to make the next one. To recompute a
 * block, make another pass. Closing a pass frees everything but its output, in any stage.
 */
final class BlockPass implements AutoCloseable {

  /**
   * What the passes through all blocks share.
   *
   * @param tokens all tokens of the batch
   * @param rotations of all tokens
   * @param dropoutSeed seed of the dropout masks; empty for a pass without dropout
   * @param arena memory for saved activations; null to take it from the heap and free it with the
   *     block
   * @param like gives type and device
   * @param routers takes the logits of the routers; null if nobody needs them
   */
  record Batch(
      WorkerPool workers,
      TokenRows tokens,
      Rotations rotations,
      OptionalLong dropoutSeed,
      @Nullable ActivationArena arena,
      Tensor like,
      @Nullable RouterLossPass routers) {

    /** Uninitialized memory for an activation, outside all scopes. */
    Tensor allocate(long... shape) {
      return arena == null
          ? Tensors.ownedLike(like, shape)
          : TensorScope.ownedHandle(arena.take(shape));
    }

    private RouterLoss.@Nullable LogitsSink logitsSink(int block, int thread) {
      return routers == null ? null : routers.logitsSink(block, tokens, thread);
    }

    private Rotations rotations(int thread) {
      RowPartition partition = tokens.partition();
      return rotations.rows(partition.from(thread), partition.from(thread + 1));
    }
  }

  private final Batch batch;
  private final TokenRows tokens;
  private final AttentionBlock block;
  private final Tensor input; // (tokens, hidden)
  private final TokenRows needed; // the tokens whose output is computed
  private final @Nullable Tensor output; // (needed, hidden)
  private final boolean saves;
  private final List<Tensor> owned = new ArrayList<>();
  private final List<Tape> tapes = new ArrayList<>();
  private long bytes;
  private boolean started;

  /**
   * A pass that has not started.
   *
   * @param input shape (tokens, hidden), owned by the caller
   * @param needed the tokens whose output is computed
   * @param output shape (needed, hidden), owned by the caller, overwritten; null when recomputing
   * @param saves whether there will be a backward pass
   */
  BlockPass(
      Batch batch,
      AttentionBlock block,
      Tensor input,
      TokenRows needed,
      @Nullable Tensor output,
      boolean saves) {
    this.batch = batch;
    this.tokens = batch.tokens();
    this.block = block;
    this.input = input;
    this.needed = needed;
    this.output = output;
    this.saves = saves;
  }

  /** Starts the forward pass, once. */
  Projection forward() {
    if (started) {
      throw new IllegalStateException("a block pass runs once; make another one to recompute it");
    }
    started = true;
    return new Projection();
  }

  /** Bytes that this pass holds outside the arena for its backward pass. */
  long heapBytes() {
    long saved = tapes.stream().mapToLong(Tape::heapBytes).sum();
    return batch.arena() == null ? saved + bytes : saved;
  }

  /** A part of the pass that each thread runs for its own rows. */
  private abstract static class Stage {
    private final RowPartition partition;
    private final AtomicInteger finished = new AtomicInteger();

    Stage(TokenRows rows) {
      partition = rows.partition();
    }

    void finished() {
      finished.incrementAndGet();
    }

    void requireFinished() {
      if (finished.get() != partition.threads()) {
        throw new IllegalStateException(
            "%s must run on %d threads but ran on %d"
                .formatted(getClass().getSimpleName(), partition.threads(), finished.get()));
      }
    }
  }

  /** From the states to queries, keys and values. */
  final class Projection extends Stage {

    /** A thread's rows. */
    private record ProjectedRows(Node states, AttentionBlock.Projected projected) {}

    private final List<Tape> ownTapes = newTapes(tokens);
    private final ProjectedRows[] rows = new ProjectedRows[batch.workers().size()];
    private BlockedAttention.@Nullable Heads heads;

    private Projection() {
      super(tokens);
    }

    /** Runs a thread's rows of the input, which must be complete. */
    void run(int thread) {
      try (TensorScope scope = TensorScope.open()) {
        @Nullable Tape tape = tape(ownTapes, thread);
        Node states = Tape.leaf(tape, tokens.select(input, 0, thread), true);
        AttentionBlock.Projected result = block.project(states, batch.rotations(thread));
        rows[thread] = new ProjectedRows(states, result);
        BlockedAttention.Heads all = allocate(result);
        ofTokens(all.query(), thread).copy_(grouped(result.query().value(), all.query()));
        ofTokens(all.key(), thread).copy_(result.key().value());
        ofTokens(all.value(), thread).copy_(result.value().value());
        if (tape != null) {
          tape.endForward();
        }
      }
      finished();
    }

    /** Memory for all rows. The first thread that calls this allocates it. */
    private synchronized BlockedAttention.Heads allocate(AttentionBlock.Projected result) {
      if (heads == null) {
        Tensor key = result.key().value();
        long headDim = key.size(2);
        long repeats = result.query().value().size(1) / key.size(1);
        heads =
            new BlockedAttention.Heads(
                saved(key.size(1), tokens.count(), repeats, headDim),
                saved(key.size(1), tokens.count(), headDim),
                saved(key.size(1), tokens.count(), headDim));
      }
      return heads;
    }

    /** Runs attention on the worker pool. */
    Completion attend() {
      requireFinished();
      BlockedAttention.Heads all = Objects.requireNonNull(heads);
      BlockedAttention attention = needed.attention(block.attention().window(), all.query());
      Tensor attended = temporary(all.query().shape());
      batch.workers().runJobs(attention.forward(block.attention(), all, attended));
      return new Completion(this, all, attention, attended);
    }
  }

  /** From the output of attention to that of the block. */
  final class Completion extends Stage {

    /** A thread's rows. */
    private record CompletedRows(Node states, Node attended, Node output) {}

    private final Projection projection;
    private final BlockedAttention.Heads heads;
    private final BlockedAttention attention;
    private final Tensor attended; // (kvHeads, tokens, repeats, headDim)
    private final List<Tape> ownTapes = newTapes(needed);
    private final CompletedRows[] rows = new CompletedRows[batch.workers().size()];

    private Completion(
        Projection projection,
        BlockedAttention.Heads heads,
        BlockedAttention attention,
        Tensor attended) {
      super(needed);
      this.projection = projection;
      this.heads = heads;
      this.attention = attention;
      this.attended = attended;
    }

    /** Runs a thread's rows, whose output is then complete. */
    void run(int thread) {
      try (TensorScope scope = TensorScope.open()) {
        @Nullable Tape tape = tape(ownTapes, thread);
        Node states = Tape.leaf(tape, needed.select(input, 0, thread), needed.areAll());
        Tensor own = needed.select(attended, 1, thread).transpose(0, 1).flatten(1, -1);
        Node seen = Tape.leaf(tape, own, false);
        Node result =
            block.finish(states, seen, batch.logitsSink(block.attention().number(), thread));
        rows[thread] = new CompletedRows(states, seen, result);
        if (output != null) {
          needed.view(output, thread).copy_(result.value());
        }
        if (tape != null) {
          tape.endForward();
        }
      }
      finished();
    }

    /** The block's input. */
    Tensor input() {
      return input;
    }

    /** Ends the forward pass and frees what the backward pass does not need. */
    Saved save() {
      requireFinished();
      if (!saves) {
        throw new IllegalStateException(
            "this pass through a block was made without a backward pass");
      }
      free(attended);
      return new Saved(this);
    }

    /** Ends the pass and frees everything but its output. */
    void discard() {
      requireFinished();
      close();
    }
  }

  /** What the backward pass needs. */
  final class Saved {
    private final Completion completion;
    private boolean used;

    private Saved(Completion completion) {
      this.completion = completion;
    }

    /** Starts the backward pass, once. */
    CompletionBackward backward() {
      if (used) {
        throw new IllegalStateException("a block runs its backward pass once, and this one has");
      }
      used = true;
      return new CompletionBackward(completion);
    }
  }

  /** The backward pass of {@link Completion}. */
  final class CompletionBackward extends Stage {
    private final Completion forward;
    private final Tensor inputGradient = temporary(input.shape());
    private final Tensor attendedGradient;

    private CompletionBackward(Completion forward) {
      super(needed);
      this.forward = forward;
      attendedGradient = temporary(forward.heads.query().shape());
      if (!needed.areAll()) {
        inputGradient.zero_();
        attendedGradient.zero_();
      }
    }

    /**
     * Runs a thread's rows.
     *
     * @param gradient of the loss with respect to the thread's rows of the output
     */
    void run(int thread, Tensor gradient) {
      try (TensorScope scope = TensorScope.open()) {
        Completion.CompletedRows rows = forward.rows[thread];
        forward.ownTapes.get(thread).backward(List.of(rows.output()), List.of(gradient));
        needed.put(inputGradient, 0, thread, rows.states().gradient());
        Tensor byAttended = grouped(rows.attended().gradient(), attendedGradient);
        needed.put(attendedGradient, 1, thread, byAttended.transpose(0, 1));
      }
      finished();
    }

    AttentionBackward attention() {
      requireFinished();
      return new AttentionBackward(this);
    }
  }

  /** The backward pass of attention, and the gradients of the weights behind it. */
  final class AttentionBackward {
    private final CompletionBackward before;
    private final BlockedAttention.Heads gradients;
    private final @Nullable Tensor bySinks; // of each job; null if no sinks are trained
    private final List<Runnable> jobs = new ArrayList<>();
    private final AtomicInteger remaining = new AtomicInteger();

    private AttentionBackward(CompletionBackward before) {
      this.before = before;
      Completion forward = before.forward;
      BlockedAttention.Heads heads = forward.heads;
      gradients =
          new BlockedAttention.Heads(
              temporary(heads.query().shape()),
              temporary(heads.key().shape()),
              temporary(heads.value().shape()));
      bySinks = sinkGradients(forward);
      forward
          .attention
          .backward(block.attention(), heads, before.attendedGradient, gradients, bySinks)
          .forEach(job -> jobs.add(counted(job)));
      WeightGradients.jobs(batch.workers(), forward.ownTapes)
          .forEach(job -> jobs.add(counted(job)));
      remaining.set(jobs.size());
    }

    private @Nullable Tensor sinkGradients(Completion completion) {
      Tensor sinks = block.attention().sinks();
      return sinks == null || !sinks.requires_grad()
          ? null
          : temporary(completion.attention.jobs(), sinks.numel()).zero_();
    }

    private Runnable counted(Runnable job) {
      return () -> {
        job.run();
        remaining.decrementAndGet();
      };
    }

    /** To be run by {@link WorkerPool#runJobs}, which can run other jobs at the same time. */
    List<Runnable> jobs() {
      return jobs;
    }

    ProjectionBackward projection() {
      if (remaining.get() != 0) {
        throw new IllegalStateException(
            "all jobs of attention must have run but %d have not".formatted(remaining.get()));
      }
      Tensor sinks = block.attention().sinks();
      if (bySinks != null && sinks != null) {
        sinks.grad().add_(bySinks.sum(new long[] {0}, false, Tensors.noType()));
      }
      return new ProjectionBackward(this);
    }
  }

  /** The backward pass of {@link Projection}. */
  final class ProjectionBackward extends Stage {
    private final Projection forward;
    private final BlockedAttention.Heads gradients;
    private final Tensor inputGradient;

    private ProjectionBackward(AttentionBackward before) {
      super(tokens);
      forward = before.before.forward.projection;
      gradients = before.gradients;
      inputGradient = before.before.inputGradient;
    }

    /**
     * Runs a thread's rows.
     *
     * @return the gradient of the loss with respect to the thread's rows of the input, a view
     */
    Tensor run(int thread) {
      try (TensorScope scope = TensorScope.open()) {
        Projection.ProjectedRows rows = forward.rows[thread];
        forward
            .ownTapes
            .get(thread)
            .backward(
                List.of(rows.projected().query(), rows.projected().key(), rows.projected().value()),
                List.of(
                    ofTokens(gradients.query(), thread).flatten(1, 2),
                    ofTokens(gradients.key(), thread),
                    ofTokens(gradients.value(), thread)));
        tokens.select(inputGradient, 0, thread).add_(rows.states().gradient());
      }
      finished();
      return tokens.select(inputGradient, 0, thread);
    }

    /** Jobs for the gradients of the weights before attention. */
    List<Runnable> jobs() {
      requireFinished();
      return WeightGradients.jobs(batch.workers(), forward.ownTapes);
    }

    /** The gradient of the loss with respect to the input, shape (tokens, hidden). */
    Tensor inputGradient() {
      requireFinished();
      return inputGradient;
    }

    /** Frees the block's memory, after its jobs have run. */
    void close() {
      BlockPass.this.close();
    }
  }

  // --- memory -------------------------------------------------------------------------------

  private List<Tape> newTapes(TokenRows rows) {
    List<Tape> made = new ArrayList<>();
    for (int thread = 0; saves && thread < rows.partition().threads(); thread++) {
      made.add(new Tape(rows.dropout(batch.dropoutSeed(), thread), batch.arena()));
    }
    tapes.addAll(made);
    return made;
  }

  private static @Nullable Tape tape(List<Tape> tapes, int thread) {
    return tapes.isEmpty() ? null : tapes.get(thread);
  }

  /** (rows, heads, headDim) or (rows, heads x headDim) as (rows, kvHeads, repeats, headDim). */
  private static Tensor grouped(Tensor rows, Tensor query) {
    return rows.reshape(rows.size(0), query.size(0), query.size(2), query.size(3));
  }

  /** A thread's tokens of a tensor (kvHeads, tokens, ...), a view (rows, kvHeads, ...). */
  private Tensor ofTokens(Tensor all, int thread) {
    return tokens.select(all, 1, thread).transpose(0, 1);
  }

  private Tensor saved(long... shape) {
    Tensor tensor = batch.allocate(shape);
    bytes += tensor.numel() * tensor.element_size();
    owned.add(tensor);
    return tensor;
  }

  private Tensor temporary(long... shape) {
    Tensor tensor = Tensors.ownedLike(batch.like(), shape);
    owned.add(tensor);
    return tensor;
  }

  private void free(Tensor tensor) {
    owned.remove(tensor);
    Tensors.free(tensor);
  }

  @Override
  public void close() {
    tapes.forEach(Tape::close);
    tapes.clear();
    owned.forEach(Tensors::free);
    owned.clear();
    bytes = 0;
  }
}
