package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * One pair given to a loss as plain numbers, in double precision, and what came back.
 *
 * @param loss its value
 * @param chosenGradient dL/dlog pi(y_w)
 * @param rejectedGradient dL/dlog pi(y_l)
 * @param rewardMargin z
 */
record LossProbe(double loss, double chosenGradient, double rejectedGradient, double rewardMargin) {

  /**
   * A pair's four log-probabilities and two lengths.
   *
   * @param chosen log pi(y_w)
   * @param rejected log pi(y_l)
   * @param refChosen log ref(y_w)
   * @param refRejected log ref(y_l)
   * @param margin m, for losses with an offset
   */
  record Pair(
      double chosen,
      double rejected,
      double refChosen,
      double refRejected,
      int chosenTokens,
      int rejectedTokens,
      double margin) {

    /** Log-ratios over a reference of -20 and -30; the margin is 1.25. */
    static Pair ofRatios(double chosen, double rejected, int chosenTokens, int rejectedTokens) {
      return new Pair(chosen - 20, rejected - 30, -20, -30, chosenTokens, rejectedTokens, 1.25);
    }

    /** A log-ratio margin of h, half of it on each side; completions of one token. */
    static Pair ofMargin(double h) {
      return ofRatios(h / 2, -h / 2, 1, 1);
    }

    Pair swapped() {
      return new Pair(
          rejected, chosen, refRejected, refChosen, rejectedTokens, chosenTokens, margin);
    }

    Pair withReferenceShiftedBy(double shift) {
      return new Pair(
          chosen,
          rejected,
          refChosen + shift,
          refRejected + shift,
          chosenTokens,
          rejectedTokens,
          margin);
    }

    Pair withPolicyMovedBy(double byChosen, double byRejected) {
      return new Pair(
          chosen + byChosen,
          rejected + byRejected,
          refChosen,
          refRejected,
          chosenTokens,
          rejectedTokens,
          margin);
    }

    Pair withMargin(double other) {
      return new Pair(
          chosen, rejected, refChosen, refRejected, chosenTokens, rejectedTokens, other);
    }
  }

  static LossProbe of(PreferenceLoss loss, Pair pair) {
    return of(Objective.of(loss), pair);
  }

  static LossProbe of(Objective objective, Pair pair) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor chosen = Tensors.doubles(pair.chosen()).set_requires_grad(true);
      Tensor rejected = Tensors.doubles(pair.rejected()).set_requires_grad(true);
      Tensor chosenTokens = Tensors.doubles(pair.chosenTokens());
      Tensor rejectedTokens = Tensors.doubles(pair.rejectedTokens());
      LossInputs inputs =
          LossInputs.of(
              new PairLogProbs(chosen, rejected, chosenTokens, rejectedTokens),
              new PairLogProbs(
                  Tensors.doubles(pair.refChosen()),
                  Tensors.doubles(pair.refRejected()),
                  chosenTokens,
                  rejectedTokens));
      inputs = withMargins(inputs, Tensors.doubles(pair.margin()));
      LossTerms terms = objective.terms(inputs, inputs.weights());
      terms.loss().sum().backward();
      return new LossProbe(
          terms.loss().item_double(),
          chosen.grad().item_double(),
          gradient(rejected),
          terms.rewardMargins().item_double());
    }
  }

  /** The inputs with the margins of their pairs. */
  static LossInputs withMargins(LossInputs inputs, Tensor margins) {
    return new LossInputs(
        inputs.policy(),
        inputs.reference(),
        inputs.divergence(),
        inputs.chosenSums(),
        inputs.chosenScored(),
        inputs.weights(),
        margins);
  }

  /** Not defined where a loss does not look at a side. */
  private static double gradient(Tensor leaf) {
    return leaf.grad().defined() ? leaf.grad().item_double() : 0;
  }
}
