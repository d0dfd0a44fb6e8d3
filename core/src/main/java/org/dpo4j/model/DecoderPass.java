package org.dpo4j.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.Slab;
import org.dpo4j.torch.Team;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * One way of a flat batch through the blocks of a model, and back. Each thread takes a part of the
 * rows through all that looks at one row alone, and a part of the attention's pieces; weights'
 * gradients are shared out by weight. The same numbers as {@link CausalLm#hiddenStates} and
 * libtorch's autograd give, to rounding.
 */
public final class DecoderPass implements AutoCloseable {

  /** What is needed of the way forward. */
  public enum Keep {
    /** Nothing: there is no way back. */
    NOTHING,
    /** The states between blocks; a block is computed once more when its turn comes. */
    STATES,
    /** All that the way back needs. */
    ALL
  }

  /** Some of the tokens' rows, shared out among the threads in their order. */
  private final class Rows {
    private final int @Nullable [] chosen; // null for every token
    private final Tensor indices; // int64, (count)
    private final int count;
    private final int threads; // that have rows
    private final Map<Integer, BlockedAttention> attentions = new HashMap<>(); // by window

    /**
     * Rows.
     *
     * @param chosen tokens in their order, or null for all of them
     */
    Rows(int @Nullable [] chosen) {
      this.chosen = chosen;
      count = chosen == null ? tokens : chosen.length;
      indices = Tensors.longs(chosen == null ? IntStream.range(0, tokens).toArray() : chosen);
      threads = Math.min(team.size(), count);
    }

    boolean has(int thread) {
      return thread < threads;
    }

    int from(int thread) {
      return (int) ((long) count * thread / threads);
    }

    /** Whether {@link #of} gives a view. */
    boolean areViews() {
      return chosen == null;
    }

    /** Of a tensor with a place for every token in one dimension those of a thread. */
    Tensor of(Tensor all, int dim, int thread) {
      return chosen == null
          ? Tensors.rows(all, dim, from(thread), from(thread + 1))
          : all.index_select(dim, own(indices, thread));
    }

    /** Puts values where {@link #of} takes them from. */
    void put(Tensor all, int dim, int thread, Tensor values) {
      if (chosen == null) {
        of(all, dim, thread).copy_(values);
      } else {
        all.index_copy_(dim, own(indices, thread), values);
      }
    }

    /** Of a tensor with a row for each of these those of a thread, a view. */
    Tensor own(Tensor rows, int thread) {
      return Tensors.rows(rows, 0, from(thread), from(thread + 1));
    }

    /** Attention that computes what these need. */
    BlockedAttention attention(int window, Tensor query) {
      return attentions.computeIfAbsent(
          window,
          key ->
              BlockedAttention.of(
                  sequences,
                  token -> chosen == null || Arrays.binarySearch(chosen, token) >= 0,
                  window,
                  (int) query.size(0),
                  (int) query.size(2),
                  query,
                  team.size()));
    }
  }

  /**
   * One block, and what it leaves behind for the way back. A thread takes its rows through {@link
   * #finish} of a block and on through {@link #project} of the next one, since neither looks across
   * rows; likewise on the way back. Everything is freed with it, and it can go forward again then.
   */
  private final class Layer implements AutoCloseable {
    private final DecoderBlock block;
    private final long seed;
    private final Tensor input; // (tokens, hidden)
    private final Tensor output; // (finished, hidden)
    private final Rows finished; // whose output is needed
    private final List<Tape> before = new ArrayList<>(); // by thread that has rows
    private final List<Tape> after = new ArrayList<>(); // likewise
    private final Node[] statesBefore = new Node[team.size()];
    private final DecoderBlock.Projected[] projected = new DecoderBlock.Projected[team.size()];
    private final Node[] statesAfter = new Node[team.size()];
    private final Node[] attendedRows = new Node[team.size()];
    private final Node[] outputs = new Node[team.size()];
    private final List<Tensor> owned = new ArrayList<>();
    private BlockedAttention.@Nullable Heads heads;
    private @Nullable Tensor attended;

    Layer(DecoderBlock block, long seed, Tensor input, Rows finished) {
      this.block = block;
      this.seed = seed;
      this.input = input;
      this.finished = finished;
      output = kept(finished.count, input.size(1));
      between.add(output);
    }

    // --- forward ------------------------------------------------------------------------------

    /** To be called first where there will be a way back. */
    void tape() {
      for (int thread = 0; thread < every.threads; thread++) {
        before.add(new Tape(seed + 2L * thread, slab));
      }
      for (int thread = 0; thread < finished.threads; thread++) {
        after.add(new Tape(seed + 2L * thread + 1, slab));
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
      if (!every.has(thread)) {
        return;
      }
      try (TensorScope work = TensorScope.open()) {
        Node states = Tape.leaf(of(before, thread), every.of(input, 0, thread), true);
        RotaryEmbedding turned =
            rotary == null ? null : rotary.rows(every.from(thread), every.from(thread + 1));
        DecoderBlock.Projected result = block.project(states, turned);
        statesBefore[thread] = states;
        projected[thread] = result;
        place(result);
        byToken(heads().query(), thread).copy_(grouped(result.query().value()));
        byToken(heads().key(), thread).copy_(result.key().value());
        byToken(heads().value(), thread).copy_(result.value().value());
        if (!before.isEmpty()) {
          before.get(thread).forwardDone();
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
                owned(kept(key.size(1), tokens, repeats, headDim)),
                owned(kept(key.size(1), tokens, headDim)),
                owned(kept(key.size(1), tokens, headDim)));
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
      team.share(attention().forward(block.attention().scale(), heads(), into));
    }

    private BlockedAttention attention() {
      return finished.attention(block.attention().window(), heads().query());
    }

    /** A thread's rows, from attention on. */
    void finish(int thread) {
      if (!finished.has(thread)) {
        return;
      }
      Tensor all = Objects.requireNonNull(attended, "attention comes first");
      try (TensorScope work = TensorScope.open()) {
        Tape tape = of(after, thread);
        Node states = Tape.leaf(tape, finished.of(input, 0, thread), finished.areViews());
        Node seen =
            Tape.leaf(tape, finished.of(all, 1, thread).transpose(0, 1).flatten(1, -1), false);
        Node result = block.finish(states, seen);
        statesAfter[thread] = states;
        attendedRows[thread] = seen;
        outputs[thread] = result;
        finished.own(output, thread).copy_(result.value());
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
      if (finished != every) {
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
      if (!finished.has(thread)) {
        return;
      }
      Tensor byOut = Objects.requireNonNull(outGradient, "openGradients comes first");
      try (TensorScope work = TensorScope.open()) {
        after
            .get(thread)
            .backward(List.of(outputs[thread]), List.of(finished.own(gradient, thread)));
        finished.put(inputGradient(), 0, thread, statesAfter[thread].gradient());
        finished.put(byOut, 1, thread, grouped(attendedRows[thread].gradient()).transpose(0, 1));
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
      jobs.addAll(WeightGradients.jobs(team, after));
      return jobs;
    }

    /** A thread's rows, back from attention to the input. */
    void projectBackward(int thread) {
      if (!every.has(thread)) {
        return;
      }
      BlockedAttention.Heads by = Objects.requireNonNull(gradients, "attention comes first");
      try (TensorScope work = TensorScope.open()) {
        DecoderBlock.Projected result = projected[thread];
        before
            .get(thread)
            .backward(
                List.of(result.query(), result.key(), result.value()),
                List.of(
                    byToken(by.query(), thread).flatten(1, 2),
                    byToken(by.key(), thread),
                    byToken(by.value(), thread)));
        every.of(inputGradient(), 0, thread).add_(statesBefore[thread].gradient());
      }
    }

    /** The gradients of the weights before attention. */
    List<Runnable> projectWeights() {
      return WeightGradients.jobs(team, before);
    }

    /** Of (kvHeads, tokens, ...) the rows of a thread, a view (rows, kvHeads, ...). */
    private Tensor byToken(Tensor all, int thread) {
      return every.of(all, 1, thread).transpose(0, 1);
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
      before.forEach(Tape::close);
      before.clear();
      after.forEach(Tape::close);
      after.clear();
      owned.forEach(Tensors::free);
      owned.clear();
      heads = null;
      attended = null;
      inputGradient = null;
      outGradient = null;
      gradients = null;
    }
  }

  private final CausalLm model;
  private final FlatSequences sequences;
  private final Keep keep;
  private final Team team = Team.get();
  private final int tokens;
  private final CausalLm.Use use;
  private final Team.Session session;
  private final TensorScope scope = TensorScope.open();
  private final Tensor parameter; // gives the floating type
  private final @Nullable Slab slab; // where all is kept
  private final Tensor ids;
  private final Tensor positions;
  private final @Nullable RotaryEmbedding rotary;
  private final Rows every;
  private final Rows predicting;
  private final List<Layer> layers = new ArrayList<>();
  private final List<Tensor> between = new ArrayList<>(); // states, from those of the tables on
  private final Tensor states;

  /**
   * Goes forward.
   *
   * @param sequences ids in [0, vocabSize), positions in [0, maxPositions)
   * @param keep what of it is needed later
   */
  public DecoderPass(CausalLm model, FlatSequences sequences, Keep keep) {
    this.model = model;
    this.sequences = sequences;
    this.keep = keep;
    tokens = sequences.tokens();
    session = Team.session();
    use = model.use();
    parameter = model.parameters().all().get(0).tensor();
    slab = keep == Keep.ALL ? team.slab(Tensors.elementType(parameter)) : null;
    try (NoGrad noGrad = NoGrad.open()) {
      ids = Tensors.longs(sequences.ids());
      positions = Tensors.longs(sequences.positions());
      every = new Rows(null);
      predicting = new Rows(sequences.predicting());
      rotary = model.rotary(positions);
      states = forward();
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private Tensor forward() {
    Tensor embedded = embed();
    between.add(embedded);
    List<? extends DecoderBlock> blocks = tokens == 0 ? List.of() : model.blocks();
    if (blocks.isEmpty()) {
      return embedded.index_select(0, predicting.indices);
    }
    // Nothing is dropped, nor drawn, where there is no way back.
    long seed = keep == Keep.NOTHING ? 0 : model.dropoutSeed();
    Tensor input = embedded;
    for (int i = 0; i < blocks.size(); i++) {
      seed += 2L * every.threads;
      // Nothing looks at the last block's output but the head.
      Rows finished = i == blocks.size() - 1 ? predicting : every;
      Layer layer = new Layer(blocks.get(i), seed, input, finished);
      layers.add(layer);
      if (keep != Keep.NOTHING) {
        // States that are kept come from the same formulas as on the second way forward.
        layer.tape();
      }
      @Nullable Layer last = i == 0 ? null : layers.get(i - 1);
      team.each(
          thread -> {
            if (last != null) {
              last.finish(thread);
            }
            layer.project(thread);
          });
      retire(last);
      layer.attend();
      input = layer.output;
    }
    Layer last = layers.get(layers.size() - 1);
    team.each(last::finish);
    retire(last);
    return input;
  }

  /** Frees what is not needed any more of a block that has gone forward. */
  private void retire(@Nullable Layer layer) {
    if (layer == null) {
      return;
    }
    layer.freeAttended();
    if (keep != Keep.ALL) {
      layer.close();
    }
    if (keep == Keep.NOTHING) {
      between.remove(layer.input);
      Tensors.free(layer.input);
    }
  }

  /**
   * The states after the last block of {@link FlatSequences#predicting} tokens, shape (predicting,
   * hidden); valid until this is closed.
   */
  public Tensor states() {
    return states;
  }

  /**
   * Goes back, once: adds to the gradients of all weights of the blocks and tables that require
   * one.
   *
   * @param gradient of the loss by {@link #states}, same shape
   */
  public void backward(Tensor gradient) {
    if (keep == Keep.NOTHING) {
      throw new IllegalStateException("nothing was kept to go back with");
    }
    try (NoGrad noGrad = NoGrad.open()) {
      Tensor byTables = layers.isEmpty() ? scattered(gradient) : backwardThrough(gradient);
      for (CausalLm.Lookup lookup : model.lookups()) {
        if (lookup.table().requires_grad()) {
          lookup.addGradient(ids, positions, byTables);
        }
      }
    }
  }

  /** Rows of predicting tokens among zeros for all others. */
  private Tensor scattered(Tensor rows) {
    return Tensors.zerosLike(rows, tokens, rows.size(1)).index_copy_(0, predicting.indices, rows);
  }

  /** Gives the gradient by the states before the first block. */
  private Tensor backwardThrough(Tensor gradient) {
    @Nullable Layer above = null; // has gone back to its attention
    for (int i = layers.size() - 1; i >= 0; i--) {
      Layer layer = layers.get(i);
      if (keep == Keep.STATES) {
        layer.tape();
        team.each(layer::project);
        layer.attend();
      }
      layer.openGradients();
      @Nullable Layer upper = above;
      Tensor byOutput = upper == null ? gradient : upper.inputGradient();
      team.each(
          thread -> {
            if (upper != null) {
              upper.projectBackward(thread);
            }
            if (keep == Keep.STATES) {
              layer.finish(thread);
            }
            layer.finishBackward(thread, byOutput);
          });
      layer.freeAttended();
      List<Runnable> jobs = layer.attendBackward();
      if (upper != null) {
        jobs.addAll(upper.projectWeights());
      }
      team.share(jobs);
      if (upper != null) {
        upper.close();
      }
      above = layer;
    }
    Layer first = layers.get(0);
    team.each(first::projectBackward);
    team.share(first.projectWeights());
    return first.inputGradient();
  }

  /** Room for what the pass keeps; whoever asks frees it. */
  private Tensor kept(long... shape) {
    return slab == null ? Tensors.ownedLike(parameter, shape) : TensorScope.hold(slab.take(shape));
  }

  private Tensor embed() {
    try (TensorScope inner = TensorScope.open()) {
      return inner.keep(model.embed(ids, positions));
    }
  }

  @Override
  public void close() {
    layers.forEach(Layer::close);
    between.forEach(Tensors::free);
    between.clear();
    if (slab != null) {
      slab.close();
    }
    scope.close();
    use.close();
    session.close();
  }
}
