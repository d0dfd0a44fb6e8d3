package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.torch.Shapes;
import org.dpo4j.torch.Tensors;

/**
 * Policy minus reference log-probability of both completions.
 *
 * @param chosen Delta_w, shape (batch)
 * @param rejected Delta_l, shape (batch)
 * @param chosenTokens tokens of y_w, shape (batch)
 * @param rejectedTokens tokens of y_l, shape (batch)
 */
record LogRatios(Tensor chosen, Tensor rejected, Tensor chosenTokens, Tensor rejectedTokens) {

  static LogRatios of(PairLogProbs policy, PairLogProbs reference) {
    if (policy.chosen().size(0) != reference.chosen().size(0)) {
      throw new IllegalArgumentException(
          "policy and reference must have one batch size but have "
              + policy.chosen().size(0)
              + " and "
              + reference.chosen().size(0));
    }
    Shapes.requireSameType("reference", reference.chosen(), policy.chosen());
    // The reference is a constant whatever it was made from.
    return new LogRatios(
        policy.chosen().sub(reference.chosen().detach()),
        policy.rejected().sub(reference.rejected().detach()),
        policy.chosenTokens(),
        policy.rejectedTokens());
  }

  /** The log-ratio margin h = Delta_w - Delta_l. */
  Tensor margin() {
    return chosen.sub(rejected);
  }

  /** The margin of averages over tokens, Delta_w / |y_w| - Delta_l / |y_l|. */
  Tensor averageMargin() {
    return chosen.div(chosenTokens).sub(rejected.div(rejectedTokens));
  }

  LossTerms terms(Tensor loss, double beta) {
    return new LossTerms(
        loss,
        chosen.detach().mul(Tensors.scalar(beta)),
        rejected.detach().mul(Tensors.scalar(beta)));
  }
}
