package org.dpo4j.model;

import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Pools;
import org.dpo4j.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * A decoder-only language model: tables that turn tokens into states, blocks that change the
 * states, a last norm, and a head. Tokens of all sequences of a batch lie one behind the other,
 * without padding; {@link Attention} says which see which.
 *
 * <p>{@link #hiddenStates} and {@link #logits} compute on one thread after the other's operations
 * and let libtorch's autograd record; {@link DecoderPass} runs the same parts on all threads and
 * goes back by itself.
 */
public interface CausalLm extends AutoCloseable {

  /**
   * A table whose rows are summed into the first states.
   *
   * @param table shape (entries, hidden)
   * @param byPosition whether a token's position chooses its row; else its id does
   * @param padding a row that gets no gradient from here, as {@code padding_idx} of PyTorch's
   *     {@code Embedding}; {@link #NONE} for no such row
   */
  record EmbeddingTable(Tensor table, boolean byPosition, int padding) {
    public static final int NONE = -1;

    /** Every row gets its gradient. */
    public EmbeddingTable(Tensor table, boolean byPosition) {
      this(table, byPosition, NONE);
    }

    private Tensor index(Tensor ids, Tensor positions) {
      return byPosition ? positions : ids;
    }

    /** The rows that tokens choose, (tokens, hidden). */
    Tensor rows(Tensor ids, Tensor positions) {
      return torch.embedding(table, index(ids, positions), padding, false, false);
    }

    /** Adds the gradient by {@link #rows} to the table's. */
    void addGradient(Tensor ids, Tensor positions, Tensor gradient) {
      Tensor index = index(ids, positions);
      Tensor passed =
          padding == NONE
              ? gradient
              : gradient.masked_fill(index.eq(new Scalar(padding)).unsqueeze(1), new Scalar(0));
      table.grad().index_add_(0, index, passed);
    }
  }

  /** The tables, at least one. */
  List<EmbeddingTable> lookups();

  /** The blocks, first to last. */
  List<? extends DecoderBlock> blocks();

  /**
   * What blocks must know of the tokens' positions, or null for nothing.
   *
   * @param positions int64, shape (tokens)
   */
  default @Nullable RotaryEmbedding rotary(Tensor positions) {
    return null;
  }

  /** The norm after the last block: shape (rows, hidden) in and out. */
  Node finalNorm(Node states);

  /** From (rows, hidden) to the scores of every token of the vocabulary, (rows, vocab). */
  Linear head();

  Parameters parameters();

  /**
   * Whether every layer can record its backward formula on a {@link Tape}. A model of which some
   * cannot is trained by libtorch's autograd.
   */
  default boolean hasTapedLayers() {
    return true;
  }

  /** The weights that training changes: all of them, but where an adapter is trained. */
  default Parameters trained() {
    return parameters();
  }

  int vocabSize();

  /** The longest sequence that the model takes, in tokens. */
  int maxPositions();

  /** A second model with the same weights in memory of its own, gradients off. */
  CausalLm copy();

  /** To be open while parts of the model are used one by one. */
  default Use use() {
    return () -> {};
  }

  /** Ends when it is closed. */
  interface Use extends AutoCloseable {
    @Override
    void close();
  }

  /** The windows of those layers in which a token does not see all that comes before it. */
  default Set<Integer> windows() {
    return blocks().stream()
        .map(block -> block.attention().window())
        .filter(window -> window != AttentionLayer.ALL)
        .collect(Collectors.toUnmodifiableSet());
  }

  /**
   * The states that the blocks start from.
   *
   * @param ids token ids, int64, shape (tokens), each in [0, vocabSize)
   * @param positions place of each token in its own sequence, int64, shape (tokens), each in [0,
   *     maxPositions)
   * @return shape (tokens, hidden)
   */
  default Tensor embed(Tensor ids, Tensor positions) {
    return lookups().stream()
        .map(lookup -> lookup.rows(ids, positions))
        .reduce(Tensor::add)
        .orElseThrow();
  }

  /**
   * The hidden states after the last norm, computed on the threads of single operations; waits
   * while passes compute.
   *
   * @param ids as for {@link #embed}
   * @param positions likewise
   * @param attention which tokens see which
   * @return shape (tokens, hidden)
   */
  default Tensor hiddenStates(Tensor ids, Tensor positions, Attention attention) {
    return hiddenStates(ids, positions, attention, null);
  }

  /**
   * {@link #hiddenStates(Tensor, Tensor, Attention)} with dropout.
   *
   * @param dropout masks of the tokens; null for none
   */
  default Tensor hiddenStates(
      Tensor ids, Tensor positions, Attention attention, @Nullable DropoutMasks dropout) {
    try (Pools.Hold spread = Pools.spread();
        Use use = use()) {
      RotaryEmbedding rotary = rotary(positions);
      Tensor states = embed(ids, positions);
      for (DecoderBlock block : blocks()) {
        Tensor input = states;
        states = TensorScope.only(() -> block.apply(input, rotary, attention, dropout));
      }
      return finalNorm(Node.of(states)).value();
    }
  }

  /**
   * Scores of every token of the vocabulary.
   *
   * @param hidden shape (rows, hidden)
   * @return shape (rows, vocab)
   */
  default Tensor logits(Tensor hidden) {
    try (Pools.Hold spread = Pools.spread();
        Use use = use()) {
      return head().apply(Node.of(hidden)).value();
    }
  }

  @Override
  default void close() {
    parameters().close();
  }
}
