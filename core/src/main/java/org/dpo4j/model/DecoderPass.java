package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.ActivationArena;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.Pools;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;
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

  /** Where it is. */
  private enum State {
    FORWARD,
    BACK,
    CLOSED
  }

  private final CausalLm model;
  private final Keep keep;
  private final WorkerPool workers = WorkerPool.get();
  private final int tokens;
  private final TensorScope scope = TensorScope.open(); // of this pass, of no thread
  private final @Nullable ActivationArena slab; // where all is kept
  private final Tensor ids;
  private final Tensor positions;
  private final @Nullable RotaryEmbedding rotary;
  private final TokenRows every;
  private final TokenRows predicting;
  private final List<LayerPass> layers = new ArrayList<>();
  private final List<Tensor> between = new ArrayList<>(); // states, from those of the tables on
  private final Tensor states; // after the last block
  private final TrainedWeights weights;
  private final OptionalLong dropoutSeed;
  private State state = State.FORWARD;

  /**
   * Goes forward.
   *
   * @param sequences ids in [0, vocabSize), positions in [0, maxPositions)
   * @param keep what of it is needed later
   * @param dropoutSeed seed of the dropout masks; empty for a pass without dropout
   */
  public DecoderPass(CausalLm model, FlatSequences sequences, Keep keep, OptionalLong dropoutSeed) {
    this.dropoutSeed = dropoutSeed;
    this.model = model;
    this.keep = keep;
    tokens = sequences.tokens();
    weights = TrainedWeights.of(model);
    slab =
        keep == Keep.ALL
            ? workers.slab(Tensors.elementType(model.parameters().all().get(0).tensor()))
            : null;
    try (CausalLm.Use use = model.use();
        Pools.Hold single = Pools.single();
        NoGrad noGrad = NoGrad.open()) {
      ids = Tensors.longs(sequences.ids());
      positions = Tensors.longs(sequences.positions());
      every = TokenRows.every(sequences, workers);
      predicting = TokenRows.predicting(sequences, workers);
      rotary = model.rotary(positions);
      states = forward();
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    } finally {
      scope.leave();
    }
  }

  private Tensor forward() {
    Tensor embedded = embed();
    between.add(embedded);
    List<? extends DecoderBlock> blocks = tokens == 0 ? List.of() : model.blocks();
    if (blocks.isEmpty()) {
      return predicting.gathered(embedded);
    }
    Tensor input = embedded;
    for (int i = 0; i < blocks.size(); i++) {
      // Nothing looks at the last block's output but the head.
      TokenRows needed = i == blocks.size() - 1 ? predicting : every;
      LayerPass layer =
          new LayerPass(workers, blocks.get(i), dropoutSeed, input, every, needed, rotary, slab);
      between.add(layer.output());
      layers.add(layer);
      if (keep != Keep.NOTHING) {
        // States that are kept come from the same formulas as on the second way forward.
        layer.tape();
      }
      @Nullable LayerPass last = i == 0 ? null : layers.get(i - 1);
      workers.each(
          thread -> {
            if (last != null) {
              last.finish(thread);
            }
            layer.project(thread);
          });
      retire(last);
      layer.attend();
      input = layer.output();
    }
    LayerPass last = layers.get(layers.size() - 1);
    workers.each(last::finish);
    retire(last);
    return input;
  }

  /** Frees what is not needed any more of a block that has gone forward. */
  private void retire(@Nullable LayerPass layer) {
    if (layer == null) {
      return;
    }
    layer.freeAttended();
    if (keep != Keep.ALL) {
      layer.close();
    }
    if (keep == Keep.NOTHING) {
      between.remove(layer.input());
      Tensors.free(layer.input());
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
   * Begins the way back, once.
   *
   * @throws IllegalStateException if nothing was kept, it began before, this is closed, or weights
   *     have begun or ceased to require gradients since it went forward
   */
  public void beginBackward() {
    if (keep == Keep.NOTHING) {
      throw new IllegalStateException("nothing was kept to go back with");
    }
    switch (state) {
      case BACK ->
          throw new IllegalStateException(
              "a pass goes back once, and this one has: what it kept is used up; open another one");
      case CLOSED ->
          throw new IllegalStateException("a pass that is closed cannot go back; open another one");
      case FORWARD -> weights.requireUnchanged();
    }
    state = State.BACK;
  }

  /**
   * Goes back, after {@link #beginBackward}: adds to the gradients of all weights of the blocks and
   * tables that require one.
   *
   * @param gradient of the loss by {@link #states}, same shape
   */
  public void backward(Tensor gradient) {
    if (state != State.BACK) {
      throw new IllegalStateException("beginBackward comes first");
    }
    try (CausalLm.Use use = model.use();
        Pools.Hold single = Pools.single();
        NoGrad noGrad = NoGrad.open()) {
      Tensor byTables =
          layers.isEmpty() ? predicting.scattered(gradient) : backwardThrough(gradient);
      for (CausalLm.EmbeddingTable lookup : model.lookups()) {
        if (lookup.table().requires_grad()) {
          lookup.addGradient(ids, positions, byTables);
        }
      }
    }
  }

  /** Gives the gradient by the states before the first block. */
  private Tensor backwardThrough(Tensor gradient) {
    @Nullable LayerPass above = null; // has gone back to its attention
    for (int i = layers.size() - 1; i >= 0; i--) {
      LayerPass layer = layers.get(i);
      if (keep == Keep.STATES) {
        layer.tape();
        workers.each(layer::project);
        layer.attend();
      }
      layer.openGradients();
      @Nullable LayerPass upper = above;
      Tensor byOutput = upper == null ? gradient : upper.inputGradient();
      workers.each(
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
      workers.share(jobs);
      if (upper != null) {
        upper.close();
      }
      above = layer;
    }
    LayerPass first = layers.get(0);
    workers.each(first::projectBackward);
    workers.share(first.projectWeights());
    return first.inputGradient();
  }

  private Tensor embed() {
    try (TensorScope inner = TensorScope.open()) {
      return inner.keep(model.embed(ids, positions));
    }
  }

  /** Frees what was kept; any thread may do that, and in any order with other passes. */
  @Override
  public void close() {
    if (state == State.CLOSED) {
      return;
    }
    state = State.CLOSED;
    layers.forEach(LayerPass::close);
    between.forEach(Tensors::free);
    between.clear();
    if (slab != null) {
      slab.close();
    }
    scope.close();
  }
}
