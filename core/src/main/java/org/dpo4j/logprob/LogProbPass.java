package org.dpo4j.logprob;

import java.util.function.IntConsumer;
import org.bytedeco.pytorch.Tensor;

/** The results of a forward pass of a {@link LogProbEngine}, and its backward pass. */
public interface LogProbPass extends AutoCloseable {

  /** Sums of log-probabilities over completion tokens, in nats, shape (sequences). */
  Tensor sums();

  /** {@link #sums} with the token weights of the pass's {@link LengthDesensitizing}. */
  Tensor weightedSums();

  /** Statistics of the predictions; all zero for {@link LogProbEngine.Purpose#SUMS}. */
  TokenStatistics tokens();

  /**
   * The logits of some completion tokens, computed again from the saved inputs of the head, without
   * gradients: the blocks are not run again.
   *
   * @param from first token of {@link org.dpo4j.batch.FlatSequences#targets}
   * @param to end of the tokens, exclusive
   * @return shape (to - from, vocabulary), new memory in the current scope
   */
  Tensor logits(int from, int to);

  /**
   * The {@link org.dpo4j.model.RouterLoss} of the pass times its coefficient; 0 for a model without
   * routers and for {@link LogProbEngine.Purpose#SUMS}.
   */
  default double routerLoss() {
    return 0;
  }

  /**
   * As {@link #backward(Tensor, Tensor)}.
   *
   * @param byRouterLoss gradient of the loss with respect to {@link #routerLoss}
   */
  default void backward(Tensor bySums, Tensor byWeightedSums, double byRouterLoss) {
    backward(bySums, byWeightedSums);
  }

  /**
   * As {@link #backward(Tensor, Tensor, double)}.
   *
   * @param blockDone gets the number of a block as soon as the gradients of its weights are
   *     complete, from the last block down; a pass may call it for some blocks or for none
   */
  default void backward(
      Tensor bySums, Tensor byWeightedSums, double byRouterLoss, IntConsumer blockDone) {
    backward(bySums, byWeightedSums, byRouterLoss);
  }

  /**
   * Runs the backward pass: adds to the gradient of each trained weight. Can be called once. The
   * weights must have required gradients when the pass was opened, and must have gradient tensors
   * ({@link org.dpo4j.optim.FlatParameters}).
   *
   * @param bySums gradient of the loss with respect to {@link #sums}, shape (sequences)
   * @param byWeightedSums gradient of the loss with respect to {@link #weightedSums}, shape
   *     (sequences)
   * @throws IllegalStateException if the pass was not opened for training, is closed, has run its
   *     backward pass, or if weights have started or stopped requiring gradients since
   */
  void backward(Tensor bySums, Tensor byWeightedSums);

  /** Frees what the pass has saved. Passes may be closed in any order and on any thread. */
  @Override
  void close();
}
