package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.ActivationArena;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;
import org.jspecify.annotations.Nullable;

/**
 * One block, and what it leaves behind for the way back. A thread takes its rows through {@link
 * #finish} of a block and on through {@link #project} of the next one, since neither looks across
 * rows; likewise on the way back. When it is closed all but its output is freed, and it can go
 * forward again.
 */
final class LayerPass implements AutoCloseable {

  /** A thread's rows up to attention. */
  private record Before(Node states, DecoderBlock.Projected projected) {}

  /** A thread's rows from attention on. */
  private record After(Node states, Node attended, Node output) {}

  private final DecoderBlock block;
  private final OptionalLong dropoutSeed;
  private final Tensor input; // (tokens, hidden)
  private final Tensor output; // (needed, hidden)
  private final TokenRows every;
  private final TokenRows needed; // whose output is
  private final @Nullable RotaryEmbedding rotary;
  private final @Nullable ActivationArena slab;
  private final WorkerPool workers;
  private final List<Tape> tapesBefore = new ArrayList<>(); // by thread that has rows
  private final List<Tape> tapesAfter = new ArrayList<>(); // likewise
  private final Before[] before; // by thread
  private final After[] after; // by thread
  private final List<Tensor> owned = new ArrayList<>();
  private BlockedAttention.@Nullable Heads heads;
  private @Nullable Tensor attended;

  /**
   * A pass that has not begun.
   *
   * @param workers whose threads share it, as they do the rows
   * @param dropoutSeed seed of the dropout masks; empty for a pass without dropout
   * @param input shape (tokens, hidden); stays the caller's
   * @param every rows of all tokens
   * @param needed rows of the tokens whose output is needed
   * @param rotary of all tokens; null where the model has none
   * @param slab where all lies that is kept; null where memory is to be freed at once
   */
  LayerPass(
      WorkerPool workers,
      DecoderBlock block,
      OptionalLong dropoutSeed,
      Tensor input,
      TokenRows every,
      TokenRows needed,
      @Nullable RotaryEmbedding rotary,
      @Nullable ActivationArena slab) {
    this.workers = workers;
    this.block = block;
    this.dropoutSeed = dropoutSeed;
    this.input = input;
    this.every = every;
    this.needed = needed;
    this.rotary = rotary;
    this.slab = slab;
    before = new Before[workers.size()];
    after = new After[workers.size()];
    output = kept(needed.shares().count(), input.size(1));
  }

  /** Shape (tokens, hidden). */
  Tensor input() {
    return input;
  }

  /** Shape (needed, hidden), filled by {@link #finish} of all threads; the caller frees it. */
  Tensor output() {
    return output;
  }

  // --- forward ------------------------------------------------------------------------------

  /** To be called first where there will be a way back. */
  void tape() {
    for (int thread = 0; thread < every.shares().threads(); thread++) {
      tapesBefore.add(new Tape(every.dropout(dropoutSeed, thread), slab));
    }
    for (int thread = 0; thread < needed.shares().threads(); thread++) {
      tapesAfter.add(new Tape(needed.dropout(dropoutSeed, thread), slab));
    }
  }

  private BlockedAttention.Heads heads() {
    return Objects.requireNonNull(heads, "the way forward comes first");
  }

  private static @Nullable Tape of(List<Tape> tapes, int thread) {
    return tapes.isEmpty() ? null : tapes.get(thread);
  }

  /** A thread's rows, up to attention. */
  void project(int thread) {
    if (!every.shares().has(thread)) {
      return;
    }
    try (TensorScope work = TensorScope.open()) {
      Node states = Tape.leaf(of(tapesBefore, thread), every.of(input, 0, thread), true);
      RotaryEmbedding turned =
          rotary == null
              ? null
              : rotary.rows(every.shares().from(thread), every.shares().from(thread + 1));
      DecoderBlock.Projected result = block.project(states, turned);
      before[thread] = new Before(states, result);
      place(result);
      byToken(heads().query(), thread).copy_(grouped(result.query().value()));
      byToken(heads().key(), thread).copy_(result.key().value());
      byToken(heads().value(), thread).copy_(result.value().value());
      if (!tapesBefore.isEmpty()) {
        tapesBefore.get(thread).forwardDone();
      }
    }
  }

  /** The first thread that knows the shapes makes room for all rows. */
  private synchronized void place(DecoderBlock.Projected result) {
    if (heads == null) {
      Tensor key = result.key().value();
      long headDim = key.size(2);
      long repeats = result.query().value().size(1) / key.size(1);
      heads =
          new BlockedAttention.Heads(
              owned(kept(key.size(1), input.size(0), repeats, headDim)),
              owned(kept(key.size(1), input.size(0), headDim)),
              owned(kept(key.size(1), input.size(0), headDim)));
    }
  }

  /** (rows, heads, headDim) as (rows, kvHeads, repeats, headDim). */
  private Tensor grouped(Tensor rows) {
    Tensor query = heads().query();
    return rows.reshape(rows.size(0), query.size(0), query.size(2), query.size(3));
  }

  /** Across rows. */
  void attend() {
    Tensor into = empty(heads().query().shape());
    attended = into;
    workers.share(attention().forward(block.attention().scale(), heads(), into));
  }

  private BlockedAttention attention() {
    return needed.attention(block.attention().window(), heads().query());
  }

  /** A thread's rows, from attention on. */
  void finish(int thread) {
    if (!needed.shares().has(thread)) {
      return;
    }
    Tensor all = Objects.requireNonNull(attended, "attention comes first");
    try (TensorScope work = TensorScope.open()) {
      Tape tape = of(tapesAfter, thread);
      Node states = Tape.leaf(tape, needed.of(input, 0, thread), needed.areAll());
      Node seen = Tape.leaf(tape, needed.of(all, 1, thread).transpose(0, 1).flatten(1, -1), false);
      Node result = block.finish(states, seen);
      after[thread] = new After(states, seen, result);
      needed.own(output, thread).copy_(result.value());
      if (tape != null) {
        tape.forwardDone();
      }
    }
  }

  /** To be called when all threads have finished. */
  void freeAttended() {
    if (attended != null) {
      owned.remove(attended);
      Tensors.free(attended);
      attended = null;
    }
  }

  // --- back ---------------------------------------------------------------------------------

  private @Nullable Tensor inputGradient; // (tokens, hidden)
  private @Nullable Tensor outGradient; // by what was attended, shape as that of the queries
  private BlockedAttention.@Nullable Heads gradients;

  /** Makes room; to be called before {@link #finishBackward}. */
  void openGradients() {
    Tensor query = heads().query();
    inputGradient = empty(input.shape());
    outGradient = empty(query.shape());
    gradients =
        new BlockedAttention.Heads(
            empty(query.shape()), empty(heads().key().shape()), empty(heads().value().shape()));
    if (!needed.areAll()) {
      inputGradient.zero_();
      outGradient.zero_();
    }
  }

  /** Gradient by the input, complete after {@link #projectBackward} of all threads. */
  Tensor inputGradient() {
    return Objects.requireNonNull(inputGradient, "openGradients comes first");
  }

  /**
   * A thread's rows, back to attention.
   *
   * @param gradient by the output
   */
  void finishBackward(int thread, Tensor gradient) {
    if (!needed.shares().has(thread)) {
      return;
    }
    Tensor byOut = Objects.requireNonNull(outGradient, "openGradients comes first");
    try (TensorScope work = TensorScope.open()) {
      After rows = after[thread];
      tapesAfter
          .get(thread)
          .backward(List.of(rows.output()), List.of(needed.own(gradient, thread)));
      needed.put(inputGradient(), 0, thread, rows.states().gradient());
      needed.put(byOut, 1, thread, grouped(rows.attended().gradient()).transpose(0, 1));
    }
  }

  /** Back through attention, and the gradients of the weights behind it. */
  List<Runnable> attendBackward() {
    List<Runnable> jobs =
        new ArrayList<>(
            attention()
                .backward(
                    block.attention().scale(),
                    heads(),
                    Objects.requireNonNull(outGradient, "openGradients comes first"),
                    Objects.requireNonNull(gradients, "openGradients comes first")));
    jobs.addAll(WeightGradients.jobs(workers, tapesAfter));
    return jobs;
  }

  /** A thread's rows, back from attention to the input. */
  void projectBackward(int thread) {
    if (!every.shares().has(thread)) {
      return;
    }
    BlockedAttention.Heads by = Objects.requireNonNull(gradients, "attention comes first");
    try (TensorScope work = TensorScope.open()) {
      DecoderBlock.Projected result = before[thread].projected();
      tapesBefore
          .get(thread)
          .backward(
              List.of(result.query(), result.key(), result.value()),
              List.of(
                  byToken(by.query(), thread).flatten(1, 2),
                  byToken(by.key(), thread),
                  byToken(by.value(), thread)));
      every.of(inputGradient(), 0, thread).add_(before[thread].states().gradient());
    }
  }

  /** The gradients of the weights before attention. */
  List<Runnable> projectWeights() {
    return WeightGradients.jobs(workers, tapesBefore);
  }

  /** Of (kvHeads, tokens, ...) the rows of a thread, a view (rows, kvHeads, ...). */
  private Tensor byToken(Tensor all, int thread) {
    return every.of(all, 1, thread).transpose(0, 1);
  }

  private Tensor kept(long... shape) {
    return slab == null ? Tensors.ownedLike(input, shape) : TensorScope.hold(slab.take(shape));
  }

  private Tensor empty(long... shape) {
    return owned(Tensors.ownedLike(input, shape));
  }

  private Tensor owned(Tensor tensor) {
    owned.add(tensor);
    return tensor;
  }

  @Override
  public void close() {
    tapesBefore.forEach(Tape::close);
    tapesBefore.clear();
    tapesAfter.forEach(Tape::close);
    tapesAfter.clear();
    owned.forEach(Tensors::free);
    owned.clear();
    heads = null;
    attended = null;
    inputGradient = null;
    outGradient = null;
    gradients = null;
  }
}
