package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.torch.Tensors;

/**
 * A loss on preference pairs. Notation: h is the log-ratio margin, (log pi(y_w) - log ref(y_w)) -
 * (log pi(y_l) - log ref(y_l)); z = beta h is the reward margin.
 */
public sealed interface PreferenceLoss
    permits SigmoidLoss, HingeLoss, IpoLoss, IpoSumLoss, UnitMarginLoss, SigmoidNormLoss {

  /**
   * The loss of each pair; no gradient flows into the reference.
   *
   * @param policy under the model that is trained
   * @param reference under the frozen one, same batch
   */
  LossTerms of(PairLogProbs policy, PairLogProbs reference);

  /** Strength of the tie to the reference; scales the implicit rewards. */
  double beta();

  /** The name in {@code --loss_type}. */
  String name();

  /** The value where policy and reference agree, against which a run's first batch is checked. */
  double valueAtZero();

  /** -(1 - smoothing) log sigmoid(z) - smoothing log sigmoid(-z). */
  static Tensor smoothedLogistic(Tensor z, double smoothing) {
    Tensor loss = torch.log_sigmoid(z).mul(Tensors.scalar(smoothing - 1));
    return smoothing == 0
        ? loss
        : loss.sub(torch.log_sigmoid(z.neg()).mul(Tensors.scalar(smoothing)));
  }

  /** Checks a beta. */
  static void requireBeta(double beta) {
    if (!(beta > 0) || Double.isInfinite(beta)) { // !(>) refuses NaN too
      throw new IllegalArgumentException("beta must be positive and finite but was " + beta);
    }
  }

  /** Checks a label smoothing. */
  static void requireSmoothing(double labelSmoothing) {
    if (!(labelSmoothing >= 0 && labelSmoothing <= 0.5)) {
      throw new IllegalArgumentException(
          "label_smoothing must be in [0, 0.5] but was " + labelSmoothing);
    }
  }
}
