package org.dpo4j.model;

import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/**
 * A decoder-only language model. Tokens of all sequences of a batch lie one behind the other,
 * without padding; {@link Attention} says which see which.
 */
public interface CausalLm extends AutoCloseable {

  /**
   * The hidden states after the last norm.
   *
   * @param ids token ids, int64, shape (tokens), each in [0, vocabSize)
   * @param positions place of each token in its own sequence, int64, shape (tokens), each in [0,
   *     maxPositions)
   * @param attention which tokens see which
   * @return shape (tokens, hidden)
   */
  Tensor hiddenStates(Tensor ids, Tensor positions, Attention attention);

  /**
   * Scores of every token of the vocabulary.
   *
   * @param hidden shape (rows, hidden)
   * @return shape (rows, vocab)
   */
  Tensor logits(Tensor hidden);

  Parameters parameters();

  int vocabSize();

  /** The longest sequence that the model takes, in tokens. */
  int maxPositions();

  /** The windows of those layers in which a token does not see all that comes before it. */
  Set<Integer> windows();

  /** A second model with the same weights in memory of its own, gradients off. */
  CausalLm copy();

  @Override
  default void close() {
    parameters().close();
  }
}
