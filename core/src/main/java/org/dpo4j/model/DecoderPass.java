package org.dpo4j.model;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
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

  /** What one block leaves behind for the way back. Everything is freed with it. */
  private final class Layer implements AutoCloseable {
    private final DecoderBlock block;
    private final long seed;
    private final Tensor input; // (tokens, hidden)
    private final List<Tape> before = new ArrayList<>(); // by thread that has rows
    private final List<Tape> after = new ArrayList<>(); // likewise
    private final Node[] statesBefore = new Node[threads];
    private final DecoderBlock.Projected[] projected = new DecoderBlock.Projected[threads];
    private final Node[] statesAfter = new Node[threads];
    private final Node[] attendedRows = new Node[threads];
    private final Node[] outputs = new Node[threads];
    private final List<Tensor> owned = new ArrayList<>();
    private BlockedAttention.@Nullable Heads heads;

    Layer(DecoderBlock block, long seed, Tensor input) {
      this.block = block;
      this.seed = seed;
      this.input = input;
    }

    /** The states after the block, the caller's to free. */
    Tensor forward(boolean taped) {
      if (taped) {
        for (int thread = 0; thread < threads; thread++) {
          before.add(new Tape(seed + 2L * thread, slab));
          after.add(new Tape(seed + 2L * thread + 1, slab));
        }
      }
      team.each(this::project);
      BlockedAttention.Heads heads = heads();
      Tensor attended = Tensors.ownedLike(input, heads.query().shape());
      BlockedAttention work = attention(block.attention().window(), heads);
      double scale = block.attention().scale();
      team.each(thread -> work.forward(thread, scale, heads, attended));
      Tensor output = kept(input.shape());
      team.each(thread -> finish(thread, attended, output));
      Tensors.free(attended);
      return output;
    }

    private BlockedAttention.Heads heads() {
      return Objects.requireNonNull(heads, "the way forward comes first");
    }

    private Node leaf(List<Tape> tapes, int thread, Tensor rows) {
      return tapes.isEmpty() ? Node.of(rows) : tapes.get(thread).leaf(tapes.get(thread).keep(rows));
    }

    /** A leaf of a tensor that would not stay. */
    private Node placedLeaf(List<Tape> tapes, int thread, Tensor rows) {
      return tapes.isEmpty()
          ? Node.of(rows)
          : tapes.get(thread).leaf(tapes.get(thread).keepPlaced(rows));
    }

    private void project(int thread) {
      if (thread >= threads) {
        return;
      }
      Node states = leaf(before, thread, rows(input, thread));
      RotaryEmbedding turned = rotary == null ? null : rotary.rows(from(thread), from(thread + 1));
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

    private void finish(int thread, Tensor all, Tensor output) {
      if (thread >= threads) {
        return;
      }
      Node states = leaf(after, thread, rows(input, thread));
      Node attended = placedLeaf(after, thread, byToken(all, thread).flatten(1, -1));
      Node result = block.finish(states, attended);
      statesAfter[thread] = states;
      attendedRows[thread] = attended;
      outputs[thread] = result;
      rows(output, thread).copy_(result.value());
      if (!after.isEmpty()) {
        after.get(thread).forwardDone();
      }
    }

    /**
     * From the gradient by the block's output to that by its input.
     *
     * @return the caller's to free
     */
    Tensor backward(Tensor gradient) {
      Tensor inputGradient = Tensors.ownedLike(input, input.shape());
      Tensor query = heads().query();
      long[] shape = query.shape();
      Tensor outGradient = empty(shape);
      shape[3] = 1;
      Tensor outSums = empty(shape);
      team.each(
          thread -> {
            if (thread < threads) {
              after.get(thread).backward(List.of(outputs[thread]), List.of(rows(gradient, thread)));
              rows(inputGradient, thread).copy_(statesAfter[thread].gradient());
              Tensor out = attendedRows[thread].gradient();
              byToken(outGradient, thread).copy_(grouped(out));
              byToken(outSums, thread)
                  .copy_(
                      grouped(out.mul(attendedRows[thread].value()))
                          .sum(new long[] {-1}, true, Tensors.noType()));
            }
          });
      finishTapes(after);
      BlockedAttention.Heads gradients =
          new BlockedAttention.Heads(
              empty(query.shape()), empty(heads().key().shape()), empty(heads().value().shape()));
      BlockedAttention work = attention(block.attention().window(), heads());
      double scale = block.attention().scale();
      team.each(thread -> work.backward(thread, scale, heads(), outGradient, outSums, gradients));
      team.each(
          thread -> {
            if (thread < threads) {
              DecoderBlock.Projected result = projected[thread];
              before
                  .get(thread)
                  .backward(
                      List.of(result.query(), result.key(), result.value()),
                      List.of(
                          byToken(gradients.query(), thread).flatten(1, 2),
                          byToken(gradients.key(), thread),
                          byToken(gradients.value(), thread)));
              rows(inputGradient, thread).add_(statesBefore[thread].gradient());
            }
          });
      finishTapes(before);
      return inputGradient;
    }

    private void finishTapes(List<Tape> tapes) {
      WeightGradients.add(team, tapes);
      tapes.forEach(Tape::close);
      tapes.clear();
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
      after.forEach(Tape::close);
      owned.forEach(Tensors::free);
      owned.clear();
    }
  }

  private final CausalLm model;
  private final FlatSequences sequences;
  private final Keep keep;
  private final Team team = Team.get();
  private final int tokens;
  private final int threads; // that have rows
  private final CausalLm.Use use;
  private final Team.Session session;
  private final TensorScope scope = TensorScope.open();
  private final Tensor parameter; // gives the floating type
  private final @Nullable Slab slab; // where all is kept
  private final Tensor ids;
  private final Tensor positions;
  private final @Nullable RotaryEmbedding rotary;
  private final Map<Integer, BlockedAttention> attentions = new HashMap<>(); // by window
  private final List<Layer> layers = new ArrayList<>();
  private final List<Tensor> between = new ArrayList<>(); // states that are kept
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
    threads = Math.min(team.size(), tokens);
    session = Team.session();
    use = model.use();
    parameter = model.parameters().all().get(0).tensor();
    slab = keep == Keep.ALL ? team.slab(Tensors.elementType(parameter)) : null;
    try (NoGrad noGrad = NoGrad.open()) {
      ids = Tensors.longs(sequences.ids());
      positions = Tensors.longs(sequences.positions());
      rotary = model.rotary(positions);
      states = forward();
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private Tensor forward() {
    // Nothing is dropped, nor drawn, where there is no way back.
    long seed = keep == Keep.NOTHING ? 0 : model.dropoutSeed();
    Tensor current = embed();
    for (DecoderBlock block : tokens == 0 ? List.<DecoderBlock>of() : model.blocks()) {
      Layer layer = new Layer(block, seed += 2L * threads, current);
      // States that are kept come from the same formulas as on the second way forward.
      Tensor next = layer.forward(keep != Keep.NOTHING);
      if (keep == Keep.ALL) {
        layers.add(layer);
      } else {
        layer.close();
      }
      if (keep == Keep.STATES) {
        layers.add(new Layer(block, layer.seed, current));
      }
      if (keep == Keep.NOTHING) {
        Tensors.free(current);
      } else {
        between.add(current);
      }
      current = next;
    }
    between.add(current);
    return current;
  }

  /** The states after the last block, shape (tokens, hidden); valid until this is closed. */
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
      backwardThrough(gradient);
    }
  }

  private void backwardThrough(Tensor gradient) {
    Tensor current = TensorScope.hold(gradient);
    for (int i = layers.size() - 1; i >= 0; i--) {
      try (Layer layer = layers.get(i)) {
        if (keep == Keep.STATES) {
          Tensors.free(layer.forward(true));
        }
        Tensor next = layer.backward(current);
        Tensors.free(current);
        current = next;
      }
    }
    for (CausalLm.Lookup lookup : model.lookups()) {
      if (lookup.table().requires_grad()) {
        lookup.addGradient(ids, positions, current);
      }
    }
    Tensors.free(current);
  }

  /** Room for what the pass keeps; whoever asks frees it. */
  private Tensor kept(long... shape) {
    return slab == null ? Tensors.ownedLike(parameter, shape) : TensorScope.hold(slab.take(shape));
  }

  private int from(int thread) {
    return (int) ((long) tokens * thread / threads);
  }

  /** Of (kvHeads, tokens, ...) the rows of a thread, a view (rows, kvHeads, ...). */
  private Tensor byToken(Tensor all, int thread) {
    return Tensors.rows(all, 1, from(thread), from(thread + 1)).transpose(0, 1);
  }

  private BlockedAttention attention(int window, BlockedAttention.Heads heads) {
    return attentions.computeIfAbsent(
        window,
        key -> {
          Tensor query = heads.query();
          return BlockedAttention.of(
              sequences, window, (int) query.size(0), (int) query.size(2), query, team.size());
        });
  }

  private Tensor rows(Tensor all, int thread) {
    return Tensors.rows(all, 0, from(thread), from(thread + 1));
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
