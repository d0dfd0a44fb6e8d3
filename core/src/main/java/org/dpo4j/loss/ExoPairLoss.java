package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.UsageException;
import org.dpo4j.torch.Tensors;

/**
 * EXO on pairs: KL(p || q), p = (sigmoid(z), sigmoid(-z)) and q = (1 - epsilon, epsilon), z = beta
 * (s_w - s_l): sigmoid(z) (log sigmoid(z) - log(1 - epsilon)) + sigmoid(-z) (log sigmoid(-z) - log
 * epsilon). Ji et al. 2024, arXiv 2402.00856, Eq. 16.
 *
 * @param beta strength of the tie to the reference, positive
 * @param labelSmoothing epsilon in (0, 0.5]; the paper takes 1e-3
 */
public record ExoPairLoss(double beta, double labelSmoothing) implements PreferenceLoss {

  public ExoPairLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requireSmoothing(labelSmoothing);
    if (labelSmoothing == 0) {
      throw new UsageException(
          "label_smoothing",
          "must be above 0 for exo_pair, which takes its logarithm,",
          "was 0",
          "its paper takes 1e-3");
    }
  }

  private static Tensor side(Tensor z, double label) {
    return torch.sigmoid(z).mul(torch.log_sigmoid(z).sub(Tensors.scalar(Math.log(label))));
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor z = pairs.margin().mul(Tensors.scalar(beta));
    return side(z, 1 - labelSmoothing).add(side(z.neg(), labelSmoothing));
  }

  @Override
  public String name() {
    return "exo_pair";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of(
        -Math.log(2) - (Math.log(1 - labelSmoothing) + Math.log(labelSmoothing)) / 2);
  }

  @Override
  public boolean usesScores() {
    return true;
  }
}
