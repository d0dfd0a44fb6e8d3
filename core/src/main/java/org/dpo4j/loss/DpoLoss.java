package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.logprob.PairLogProbs;

/** The DPO loss from four tensors of log-probabilities. */
public final class DpoLoss {

  private DpoLoss() {}

  /**
   * Loss and implicit reward difference of each pair: -log sigmoid(z), z = beta ((policyChosen -
   * referenceChosen) - (policyRejected - referenceRejected)).
   *
   * <p>Tensors made here belong to the {@link org.dpo4j.torch.TensorScope} that is open around the
   * call; without one they live until the garbage collector frees them.
   *
   * @param policyChosen log pi(y_w given x), shape (batch)
   * @param policyRejected log pi(y_l given x), shape (batch)
   * @param referenceChosen log ref(y_w given x), shape (batch); no gradient flows into it
   * @param referenceRejected log ref(y_l given x), shape (batch); no gradient flows into it
   * @param beta strength of the tie to the reference, positive
   * @return {@code loss()} and {@code rewardMargins()}, both shape (batch)
   * @throws IllegalArgumentException if shapes or types differ or beta is not positive
   */
  public static LossTerms dpoLoss(
      Tensor policyChosen,
      Tensor policyRejected,
      Tensor referenceChosen,
      Tensor referenceRejected,
      double beta) {
    LossInputs pairs =
        LossInputs.of(
            PairLogProbs.ofSums(policyChosen, policyRejected),
            PairLogProbs.ofSums(referenceChosen, referenceRejected));
    return Objective.of(new SigmoidLoss(beta)).terms(pairs, pairs.weights());
  }
}
