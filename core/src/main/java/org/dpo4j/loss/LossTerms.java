package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;

/**
 * Loss and rewards of each pair.
 *
 * @param loss shape (batch); gradients flow through it
 * @param chosenRewards implicit reward beta (log pi(y_w) - log ref(y_w)), shape (batch), no
 *     gradient; without a reference beta times the log-probability that the loss uses
 * @param rejectedRewards implicit reward of y_l, shape (batch), no gradient
 */
public record LossTerms(Tensor loss, Tensor chosenRewards, Tensor rejectedRewards) {

  /** The implicit reward difference z, shape (batch). */
  public Tensor rewardMargins() {
    return chosenRewards.sub(rejectedRewards);
  }
}
