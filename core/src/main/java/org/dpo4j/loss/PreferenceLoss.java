package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.ExampleKind;
import org.dpo4j.UsageException;
import org.dpo4j.torch.Tensors;

/**
 * A loss on preference pairs. Notation: Delta = log pi(y) - log ref(y) is the log-ratio of a
 * completion, h = Delta_w - Delta_l the log-ratio margin, z = beta h the reward margin; s is the
 * score of Delta under an f-divergence: Delta itself for the default, the reverse KL.
 */
public sealed interface PreferenceLoss extends TrainingLoss
    permits AotLoss,
        AotUnpairedLoss,
        ApoDownLoss,
        ApoZeroLoss,
        BcoPairLoss,
        CombinedLoss,
        CpoLoss,
        DiscoPopLoss,
        DpopLoss,
        ExoPairLoss,
        HingeLoss,
        IpoLoss,
        IpoSumLoss,
        NcaPairLoss,
        OdpoLoss,
        OrpoLoss,
        RobustLoss,
        SftLoss,
        SigmoidLoss,
        SigmoidNormLoss,
        SimpoLoss,
        SppoHardLoss,
        UnitMarginLoss {

  /** The loss of each pair, shape (batch); no gradient flows into the reference. */
  Tensor of(LossInputs pairs);

  @Override
  default ExampleKind examples() {
    return ExampleKind.PAIRS;
  }

  /** Without a reference: whether rewards are beta times averages over tokens, not sums. */
  default boolean averagesRewards() {
    return false;
  }

  /** -(1 - smoothing) log sigmoid(z) - smoothing log sigmoid(-z). */
  static Tensor smoothedLogistic(Tensor z, double smoothing) {
    Tensor loss = torch.log_sigmoid(z).mul(Tensors.scalar(smoothing - 1));
    return smoothing == 0
        ? loss
        : loss.sub(torch.log_sigmoid(z.neg()).mul(Tensors.scalar(smoothing)));
  }

  /** -log sigmoid(z). */
  static Tensor logistic(Tensor z) {
    return torch.log_sigmoid(z).neg();
  }

  /** Sorts in ascending order; gradients flow through. */
  static Tensor sorted(Tensor values) {
    return values.sort().get0();
  }

  /** Checks a beta. */
  static void requireBeta(double beta) {
    requirePositive("beta", beta);
  }

  /** Checks that a label smoothing is from 0 to 0.5. */
  static void requireSmoothing(double labelSmoothing) {
    if (!(labelSmoothing >= 0 && labelSmoothing <= 0.5)) { // !(>=) refuses NaN too
      throw new UsageException(
          "label_smoothing",
          "must be between 0 and 0.5",
          "was " + labelSmoothing,
          "above 0.5 the pairs would count as swapped");
    }
  }

  /** Checks a number that must be positive and finite. */
  static void requirePositive(String name, double value) {
    if (!(value > 0) || Double.isInfinite(value)) {
      throw new UsageException(name, "must be positive and finite", "was " + value, "");
    }
  }

  /** Checks a number that must be finite and not negative. */
  static void requireNotNegative(String name, double value) {
    if (!(value >= 0) || Double.isInfinite(value)) {
      throw new UsageException(name, "must be finite and not negative", "was " + value, "");
    }
  }
}
