package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.function.IntConsumer;
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
 * The pass of a flat batch through the embedding tables and blocks of a model, and back. Each
 * thread of the worker pool takes its rows through all layers that work row by row; attention and
 * the gradients of weights are jobs that the threads share. The numbers are those of {@link
 * CausalLm#hiddenStates} and libtorch's autograd, up to rounding.
 */
public final class DecoderPass implements AutoCloseable {

  /** What the forward pass saves. */
  public enum Keep {
    /** Nothing: there is no backward pass. */
    NOTHING,
    /** The states between blocks. The backward pass recomputes one block at a time. */
    STATES,
    /** Everything that the backward pass needs. */
    ALL
  }

  private enum State {
    FORWARD,
    BACKWARD,
    CLOSED
  }

  private final CausalLm model;
  private final Keep keep;
  private final TrainedWeights weights;
  private final TensorScope scope;
  private final Tensor ids;
  private final Tensor positions;
  private final TokenRows predicting;
  private final BlockPass.Batch batch;
  private final @Nullable RouterLossPass routers; // as in the batch
  private final List<AttentionBlock> blocks; // none for a batch without tokens
  private final List<BlockPass> passes = new ArrayList<>(); // open or closed
  private final List<BlockPass.Saved> saved = new ArrayList<>(); // by block, for Keep.ALL
  private final List<Tensor> states = new ArrayList<>(); // before the first block, ..., the result
  private State state = State.FORWARD;

  private DecoderPass(
      CausalLm model,
      Keep keep,
      TensorScope scope,
      Tensor ids,
      Tensor positions,
      TokenRows predicting,
      BlockPass.Batch batch) {
    this.model = model;
    this.keep = keep;
    this.scope = scope;
    this.ids = ids;
    this.positions = positions;
    this.predicting = predicting;
    this.batch = batch;
    routers = batch.routers();
    weights = TrainedWeights.of(model);
    // A recurrence has no backward formula, so that all blocks here have attention.
    blocks =
        batch.tokens().count() == 0
            ? List.of()
            : model.blocks().stream().map(AttentionBlock.class::cast).toList();
  }

  /**
   * Runs the forward pass.
   *
   * @param sequences ids in [0, vocabSize), positions in [0, maxPositions)
   * @param keep what to save
   * @param dropoutSeed seed of the dropout masks; empty for a pass without dropout
   * @param routers the loss of the routers; null if nobody needs it
   * @return the pass, to be closed by the caller
   */
  public static DecoderPass forward(
      CausalLm model,
      FlatSequences sequences,
      Keep keep,
      OptionalLong dropoutSeed,
      @Nullable RouterLoss routers) {
    TensorScope scope = TensorScope.open();
    @Nullable DecoderPass pass = null;
    try (CausalLm.AdapterHold adapter = model.holdAdapter();
        Pools.Hold single = Pools.single();
        NoGrad noGrad = NoGrad.open()) {
      pass = prepared(model, sequences, keep, dropoutSeed, routers, scope);
      pass.runForward();
      return pass;
    } catch (RuntimeException | Error e) {
      if (pass != null) {
        pass.close();
      } else {
        scope.close();
      }
      throw e;
    } finally {
      scope.stopCollecting();
    }
  }

  private static DecoderPass prepared(
      CausalLm model,
      FlatSequences sequences,
      Keep keep,
      OptionalLong dropoutSeed,
      @Nullable RouterLoss routers,
      TensorScope scope) {
    WorkerPool workers = WorkerPool.get();
    Tensor ids = Tensors.longs(sequences.ids());
    Tensor positions = Tensors.longs(sequences.positions());
    Tensor like = model.parameters().like();
    ActivationArena arena = keep == Keep.ALL ? workers.arena(Tensors.elementType(like)) : null;
    BlockPass.Batch batch =
        new BlockPass.Batch(
            workers,
            TokenRows.all(sequences, workers),
            model.rotations(positions),
            dropoutSeed,
            arena,
            like,
            routers == null
                ? null
                : new RouterLossPass(
                    routers,
                    sequences.sequencesOfTokens(),
                    like,
                    model.blocks().size(),
                    workers.size()));
    TokenRows predicting = TokenRows.predicting(sequences, workers);
    return new DecoderPass(model, keep, scope, ids, positions, predicting, batch);
  }

  private void runForward() {
    Tensor embedded = embed();
    states.add(embedded);
    if (blocks.isEmpty()) {
      states.add(TensorScope.ownedHandle(predicting.gather(embedded)));
      return;
    }
    BlockPass.@Nullable Completion previous = null;
    for (int i = 0; i < blocks.size(); i++) {
      Tensor input = states();
      BlockPass.Projection projection = open(i, input, output(i)).forward();
      BlockPass.@Nullable Completion before = previous;
      batch
          .tokens()
          .runOnEach(
              thread -> {
                if (before != null) {
                  before.run(thread);
                }
                projection.run(thread);
              });
      finish(before);
      previous = projection.attend();
    }
    BlockPass.Completion last = Objects.requireNonNull(previous);
    needed(blocks.size() - 1).runOnEach(last::run);
    finish(last);
    if (routers != null) {
      addPredicting();
    }
  }

  /** The states of the predicting tokens alone, after a last block that computed all. */
  private void addPredicting() {
    Tensor all = states();
    Tensor some = batch.allocate(predicting.count(), all.size(1));
    try (TensorScope inner = TensorScope.open()) {
      some.copy_(predicting.gather(all));
    }
    if (keep == Keep.NOTHING) {
      states.remove(all);
      Tensors.free(all);
    }
    states.add(some);
  }

  /**
   * The tokens whose output of a block is used: the head reads only those that predict. The loss of
   * the routers needs all tokens.
   */
  private TokenRows needed(int block) {
    return block == blocks.size() - 1 && routers == null ? predicting : batch.tokens();
  }

  private Tensor output(int block) {
    Tensor output = batch.allocate(needed(block).count(), states.get(0).size(1));
    states.add(output);
    return output;
  }

  /**
   * A pass through a block.
   *
   * @param output null to recompute what the backward pass needs, and not the output
   */
  private BlockPass open(int block, Tensor input, @Nullable Tensor output) {
    // States that are saved come from the same formulas as those that are recomputed.
    boolean saves = keep != Keep.NOTHING;
    BlockPass pass = new BlockPass(batch, blocks.get(block), input, needed(block), output, saves);
    passes.add(pass);
    return pass;
  }

  /** Frees what is not needed any more after a block's forward pass. */
  private void finish(BlockPass.@Nullable Completion completion) {
    if (completion == null) {
      return;
    }
    if (keep == Keep.ALL) {
      saved.add(completion.save());
      return;
    }
    completion.discard();
    if (keep == Keep.NOTHING) {
      states.remove(completion.input());
      Tensors.free(completion.input());
    }
  }

  /**
   * The states after the last block of {@link FlatSequences#predicting} tokens, shape (predicting,
   * hidden); valid until this is closed.
   */
  public Tensor states() {
    return states.get(states.size() - 1);
  }

  /** The loss of the routers times its coefficient; 0 if nobody asked for it. */
  public double routerLoss() {
    return routers == null ? 0 : routers.value();
  }

  /** Bytes that this pass holds for its backward pass, those of weights not counted. */
  public long savedBytes() {
    long between =
        batch.arena() != null
            ? bytes(states.get(0)) // the others lie in the arena
            : states.stream().mapToLong(DecoderPass::bytes).sum();
    long arena = batch.arena() == null ? 0 : batch.arena().usedBytes();
    return between + arena + passes.stream().mapToLong(BlockPass::heapBytes).sum();
  }

  private static long bytes(Tensor tensor) {
    return tensor.numel() * tensor.element_size();
  }

  /**
   * Checks that the backward pass can run, and marks it as begun.
   *
   * @throws IllegalStateException if nothing was saved, it has begun before, this is closed, or
   *     weights have started or stopped requiring gradients since the forward pass
   */
  public void beginBackward() {
    if (keep == Keep.NOTHING) {
      throw new IllegalStateException("this pass was opened without a backward pass");
    }
    switch (state) {
      case BACKWARD ->
          throw new IllegalStateException(
              "a pass runs its backward pass once, and this one has; open another one");
      case CLOSED -> throw new IllegalStateException("this pass is closed; open another one");
      case FORWARD -> weights.requireUnchanged();
    }
    state = State.BACKWARD;
  }

  /**
   * Runs the backward pass, after {@link #beginBackward}: adds to the gradients of all weights of
   * the blocks and tables that require one.
   *
   * @param gradient of the loss with respect to {@link #states}, same shape
   * @param byRouterLoss gradient of the loss with respect to {@link #routerLoss}
   * @param blockDone gets the number of each block, from the last one down, when the gradients of
   *     its weights are complete
   */
  public void backward(Tensor gradient, double byRouterLoss, IntConsumer blockDone) {
    if (state != State.BACKWARD) {
      throw new IllegalStateException("beginBackward must be called before backward");
    }
    try (CausalLm.AdapterHold adapter = model.holdAdapter();
        Pools.Hold single = Pools.single();
        NoGrad noGrad = NoGrad.open()) {
      if (routers != null) {
        routers.beginBackward(byRouterLoss);
      }
      Tensor byOutput =
          blocks.isEmpty() || routers != null ? predicting.scatter(gradient) : gradient;
      Tensor byEmbedded = blocks.isEmpty() ? byOutput : backwardThroughBlocks(byOutput, blockDone);
      for (CausalLm.EmbeddingTable table : model.embeddingTables()) {
        table.addGradient(ids, positions, byEmbedded);
      }
    }
  }

  /** Returns the gradient with respect to the states before the first block. */
  private Tensor backwardThroughBlocks(Tensor gradient, IntConsumer blockDone) {
    BlockPass.@Nullable ProjectionBackward above = null;
    for (int i = blocks.size() - 1; i >= 0; i--) {
      BlockPass.CompletionBackward completion = saved(i).backward();
      BlockPass.@Nullable ProjectionBackward upper = above;
      TokenRows rows = needed(i);
      rows.runOnEach(
          thread ->
              completion.run(
                  thread, upper == null ? rows.view(gradient, thread) : upper.run(thread)));
      BlockPass.AttentionBackward attention = completion.attention();
      List<Runnable> jobs = new ArrayList<>(attention.jobs());
      if (upper != null) {
        jobs.addAll(upper.jobs());
      }
      batch.workers().runJobs(jobs);
      if (upper != null) {
        upper.close();
        blockDone.accept(i + 1);
      }
      above = attention.projection();
    }
    BlockPass.ProjectionBackward first = Objects.requireNonNull(above);
    batch.tokens().runOnEach(first::run);
    batch.workers().runJobs(first.jobs());
    blockDone.accept(0);
    return first.inputGradient();
  }

  /** What a block saved; recomputed if only states were saved. */
  private BlockPass.Saved saved(int block) {
    if (keep == Keep.ALL) {
      return saved.get(block);
    }
    BlockPass.Projection projection = open(block, states.get(block), null).forward();
    batch.tokens().runOnEach(projection::run);
    BlockPass.Completion completion = projection.attend();
    needed(block).runOnEach(completion::run);
    return completion.save();
  }

  private Tensor embed() {
    try (TensorScope inner = TensorScope.open()) {
      return inner.disown(model.embed(ids, positions));
    }
  }

  /** Frees what was saved. Passes may be closed in any order and on any thread. */
  @Override
  public void close() {
    if (state == State.CLOSED) {
      return;
    }
    state = State.CLOSED;
    passes.forEach(BlockPass::close);
    states.forEach(Tensors::free);
    states.clear();
    if (batch.arena() != null) {
      batch.arena().close();
    }
    scope.close();
  }
}
