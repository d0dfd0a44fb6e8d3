package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.torch.Shapes;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The inputs of a loss for the pairs of one micro-batch. Every tensor has shape (batch) and the
 * same type.
 *
 * @param policy log-probabilities under the trained model, with LD-DPO's token weights where they
 *     are configured
 * @param reference log-probabilities under the reference; no gradient flows into them. Null for
 *     losses without a reference
 * @param divergence turns log-ratios into scores; set by the {@link Objective}
 * @param chosenSums plain sums of log p(token) over the scored tokens of y_w, for losses that learn
 *     y_w token by token
 * @param chosenScored number of scored tokens of y_w
 * @param weights weight of each pair, positive
 * @param margins by how much the chosen completion of each pair is better; null for losses that do
 *     not read it
 */
public record LossInputs(
    PairLogProbs policy,
    @Nullable PairLogProbs reference,
    FDivergence divergence,
    Tensor chosenSums,
    Tensor chosenScored,
    Tensor weights,
    @Nullable Tensor margins) {

  private static final double MIN_TOKENS = 1e-30;

  public LossInputs {
    if (reference != null) {
      if (policy.chosen().size(0) != reference.chosen().size(0)) {
        throw new IllegalArgumentException(
            "policy and reference must have one batch size but have "
                + policy.chosen().size(0)
                + " and "
                + reference.chosen().size(0));
      }
      Shapes.requireSameType("reference", reference.chosen(), policy.chosen());
    }
    long batch = policy.chosen().size(0);
    Shapes.require("chosenSums", chosenSums, batch);
    Shapes.require("chosenScored", chosenScored, batch);
    Shapes.require("weights", weights, batch);
    if (margins != null) {
      Shapes.require("margins", margins, batch);
    }
  }

  /** Inputs from log-probabilities alone, with weight 1 for each pair. */
  public static LossInputs of(PairLogProbs policy, @Nullable PairLogProbs reference) {
    Tensor ones = Tensors.zerosLike(policy.chosen(), policy.chosen().shape());
    return new LossInputs(
        policy,
        reference,
        FDivergence.NONE,
        policy.chosen(),
        policy.chosenTokens(),
        ones.add(Tensors.scalar(1)),
        null);
  }

  LossInputs under(FDivergence other) {
    return new LossInputs(policy, reference, other, chosenSums, chosenScored, weights, margins);
  }

  /** {@link #margins}, which must be there. */
  Tensor requiredMargins() {
    if (margins == null) {
      throw new IllegalStateException("this loss needs margins but there are none");
    }
    return margins;
  }

  /** Delta_w = log pi(y_w) - log ref(y_w). */
  Tensor chosenRatio() {
    return policy.chosen().sub(required().chosen().detach());
  }

  /**
   * The largest |{@link #chosenRatio}| that rounding explains: a share of the log-probability, or
   * of the number of tokens if that is larger, as for nearly certain tokens. No gradient.
   */
  Tensor chosenRounding() {
    return torch
        .max(policy.chosen().detach().abs(), policy.chosenTokens())
        .mul(Tensors.scalar(PairLogProbs.ROUNDING));
  }

  /** Delta_l. */
  Tensor rejectedRatio() {
    return policy.rejected().sub(required().rejected().detach());
  }

  /** s_w, the score of Delta_w. */
  Tensor chosenScore() {
    return divergence.score(chosenRatio());
  }

  /** s_l, the score of Delta_l. */
  Tensor rejectedScore() {
    return divergence.score(rejectedRatio());
  }

  /** s_w - s_l: with the reverse KL the log-ratio margin h. */
  Tensor margin() {
    return chosenScore().sub(rejectedScore());
  }

  /** log pi(y_w) - log pi(y_l). */
  Tensor policyMargin() {
    return policy.chosen().sub(policy.rejected());
  }

  /** log ref(y_w) - log ref(y_l). */
  Tensor referenceMargin() {
    return required().chosen().sub(required().rejected()).detach();
  }

  /** The margin of averages over tokens, s_w / |y_w| - s_l / |y_l|. */
  Tensor averageMargin() {
    return chosenScore()
        .div(policy.chosenTokens())
        .sub(rejectedScore().div(policy.rejectedTokens()));
  }

  /** log pi(y_w) / |y_w|. */
  Tensor chosenAverage() {
    return policy.chosen().div(policy.chosenTokens());
  }

  /** log pi(y_l) / |y_l|. */
  Tensor rejectedAverage() {
    return policy.rejected().div(policy.rejectedTokens());
  }

  /**
   * The mean of -log p(token) over the chosen completions of the micro-batch, token by token, the
   * tokens of a pair counted with its weight; a scalar.
   */
  Tensor chosenTokenLoss() {
    Tensor tokens = chosenScored.mul(weights).sum();
    // A batch may have no scored token: completions of one token after empty prompts.
    return chosenSums.mul(weights).sum().neg().div(tokens.clamp_min(Tensors.scalar(MIN_TOKENS)));
  }

  private PairLogProbs required() {
    if (reference == null) {
      throw new IllegalStateException("this loss needs a reference but there is none");
    }
    return reference;
  }
}
