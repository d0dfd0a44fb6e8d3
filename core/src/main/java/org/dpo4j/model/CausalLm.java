package org.dpo4j.model;

import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Pools;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * A decoder-only language model: embedding tables, blocks, a last norm and a head. The sequences of
 * a batch are concatenated without padding; {@link Attention} decides which tokens attend to which.
 *
 * <p>{@link #hiddenStates} and {@link #logits} are plain libtorch operations that autograd records.
 * {@link DecoderPass} runs the same parts on the worker pool, with backward formulas of their own.
 */
public interface CausalLm extends AutoCloseable {

  /**
   * An embedding table. The rows that a token selects in all tables are summed.
   *
   * @param table shape (entries, hidden)
   * @param byPosition whether a token selects its row by position; else by id
   * @param offset number of rows before that of position 0
   * @param scale factor of the rows
   * @param padding a row that receives no gradient from the table, as {@code padding_idx} of
   *     PyTorch's {@code Embedding}; {@link #NONE} for no such row
   * @param slot for an adapter; null for none
   */
  record EmbeddingTable(
      Tensor table,
      boolean byPosition,
      int offset,
      double scale,
      int padding,
      @Nullable AdapterSlot slot) {
    public static final int NONE = -1;

    /** A table of positions. */
    public static EmbeddingTable ofPositions(Tensor table, int offset) {
      return new EmbeddingTable(table, true, offset, 1, NONE, null);
    }

    /** A table of tokens. */
    public static EmbeddingTable ofTokens(
        Tensor table, double scale, int padding, @Nullable AdapterSlot slot) {
      return new EmbeddingTable(table, false, 0, scale, padding, slot);
    }

    private Tensor index(Tensor ids, Tensor positions) {
      Tensor index = byPosition ? positions : ids;
      return offset == 0 ? index : index.add(new Scalar(offset));
    }

    /** The rows that tokens select, shape (tokens, hidden). */
    Tensor rows(Tensor ids, Tensor positions) {
      Tensor index = index(ids, positions);
      Tensor own = Matrix.widened(torch.embedding(table, index, padding, false, false));
      AdapterSlot.Adapter adapter = adapter();
      Tensor added = adapter == null ? null : adapter.entries(index, padding);
      Tensor rows = added == null ? own : own.add_(added);
      return scale == 1 ? rows : rows.mul(Tensors.scalar(scale));
    }

    private AdapterSlot.@Nullable Adapter adapter() {
      return slot == null ? null : slot.adapter();
    }

    /**
     * Adds to the gradients of the table and of its adapter, where they are trained.
     *
     * @param gradient with respect to {@link #rows}
     */
    void addGradient(Tensor ids, Tensor positions, Tensor gradient) {
      AdapterSlot.Adapter adapter = adapter();
      if (!table.requires_grad() && adapter == null) {
        return;
      }
      Tensor index = index(ids, positions);
      Tensor scaled = scale == 1 ? gradient : gradient.mul(Tensors.scalar(scale));
      if (adapter != null) {
        adapter.addGradient(index, padding, scaled);
      }
      if (table.requires_grad()) {
        Tensor passed =
            padding == NONE
                ? scaled
                : scaled.masked_fill(index.eq(new Scalar(padding)).unsqueeze(1), new Scalar(0));
        table.grad().index_add_(0, index, passed);
      }
    }
  }

  /** The embedding tables, at least one. */
  List<EmbeddingTable> embeddingTables();

  /** The blocks, from first to last. */
  List<? extends DecoderBlock> blocks();

  /**
   * The rotary embeddings of the tokens.
   *
   * @param positions int64, shape (tokens)
   */
  default Rotations rotations(Tensor positions) {
    return Rotations.NONE;
  }

  /** Applies the norm after the last block: shape (rows, hidden) in and out. */
  Node finalNorm(Node states);

  /** The layer from states (rows, hidden) to logits (rows, vocab), before {@link #capLogits}. */
  Linear head();

  /** The {@linkplain SoftCapping soft cap} of logits; 0 for none. */
  default double logitCap() {
    return 0;
  }

  /** The loss of the routers, which training adds to its own; null for none. */
  default @Nullable RouterLoss routerLoss() {
    return null;
  }

  /** Whether passes with a dropout seed differ from those without. */
  default boolean hasDropout() {
    return false;
  }

  /** Applies the soft cap of logits: any shape in, the same out. */
  default Tensor capLogits(Tensor logits) {
    double cap = logitCap();
    return cap == 0 ? logits : logits.div(Tensors.scalar(cap)).tanh().mul(Tensors.scalar(cap));
  }

  Parameters parameters();

  /**
   * What cannot record its backward formula on a {@link Tape}, in words: layers, attention, head. A
   * model that has any of it is trained by libtorch's autograd.
   */
  default List<String> untapedParts() {
    return List.of();
  }

  /** Whether every layer, with attention and head, can record its backward formula. */
  default boolean hasTapedLayers() {
    return untapedParts().isEmpty();
  }

  /** The weights that training changes: all, or those of the adapter. */
  default Parameters trained() {
    return parameters();
  }

  /**
   * Updates what is computed from the {@link #trained} weights, such as matrices in bfloat16. To be
   * called whenever they have changed.
   */
  default void weightsChanged() {
    parameters().refreshBf16(trained().all());
  }

  int vocabSize();

  /**
   * The values of a weight that this model computes with: those in memory, changed by an adapter
   * that is on.
   *
   * @param parameter of {@link #parameters}
   * @return in any floating type; belongs to the caller's scope
   */
  default Tensor effective(Parameters.Parameter parameter) {
    return parameter.tensor();
  }

  /** The maximum length of a sequence, in tokens. */
  int maxPositions();

  /** A second model with a copy of the weights, which require no gradients. */
  CausalLm copy();

  /**
   * Switches a LoRA adapter on the model's weights to what this model computes with, on or off, and
   * holds it there until the result is closed. Must be open while parts of the model are used.
   */
  default AdapterHold holdAdapter() {
    return () -> {};
  }

  /** Keeps an adapter on, or off, until it is closed. */
  interface AdapterHold extends AutoCloseable {
    @Override
    void close();
  }

  /** The window sizes of all layers that have a sliding window. */
  default Set<Integer> windows() {
    return blocks().stream()
        .filter(AttentionBlock.class::isInstance)
        .map(block -> ((AttentionBlock) block).attention().window())
        .filter(window -> window != AttentionLayer.ALL)
        .collect(Collectors.toUnmodifiableSet());
  }

  /**
   * The states before the first block.
   *
   * @param ids token ids, int64, shape (tokens), each in [0, vocabSize)
   * @param positions position of each token in its own sequence, int64, shape (tokens), each in [0,
   *     maxPositions)
   * @return shape (tokens, hidden)
   */
  default Tensor embed(Tensor ids, Tensor positions) {
    return embeddingTables().stream()
        .map(table -> table.rows(ids, positions))
        .reduce(Tensor::add)
        .orElseThrow();
  }

  /**
   * The hidden states after the last norm. Each operation uses several threads, so the call waits
   * until no pass computes ({@link Pools#spread}).
   *
   * @param ids as for {@link #embed}
   * @param positions as for {@link #embed}
   * @param attention which tokens attend to which
   * @return shape (tokens, hidden)
   */
  default Tensor hiddenStates(Tensor ids, Tensor positions, Attention attention) {
    return hiddenStates(ids, positions, attention, null, null);
  }

  /**
   * {@link #hiddenStates(Tensor, Tensor, Attention)} with dropout.
   *
   * @param dropout masks of the tokens; null for none
   * @param routers takes the logits of the routers; null if nobody needs them
   */
  default Tensor hiddenStates(
      Tensor ids,
      Tensor positions,
      Attention attention,
      @Nullable DropoutMasks dropout,
      RouterLoss.@Nullable LogitsSink routers) {
    try (Pools.Hold spread = Pools.spread();
        AdapterHold adapter = holdAdapter()) {
      Rotations rotations = rotations(positions);
      Tensor states = embed(ids, positions);
      for (DecoderBlock block : blocks()) {
        Tensor input = states;
        states =
            TensorScope.compute(() -> block.apply(input, rotations, attention, dropout, routers));
      }
      return finalNorm(Node.of(states)).value();
    }
  }

  /**
   * The logits.
   *
   * @param hidden shape (rows, hidden)
   * @return shape (rows, vocab)
   */
  default Tensor logits(Tensor hidden) {
    try (Pools.Hold spread = Pools.spread();
        AdapterHold adapter = holdAdapter()) {
      return capLogits(head().apply(Node.of(hidden)).value());
    }
  }

  @Override
  default void close() {
    parameters().close();
  }
}
