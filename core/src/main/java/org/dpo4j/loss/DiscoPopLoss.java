package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/**
 * DiscoPOP: (1 - m) (-log sigmoid(z)) + m exp(-z), z = beta (s_w - s_l), m = sigmoid(z / tau). Lu
 * et al. 2024, arXiv 2406.08414, Eq. 5.
 *
 * @param beta strength of the tie to the reference, positive
 * @param tau temperature of the mixture, positive; the paper takes 0.05
 */
public record DiscoPopLoss(double beta, double tau) implements PreferenceLoss {

  public DiscoPopLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requirePositive("discopop_tau", tau);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor z = pairs.margin().mul(Tensors.scalar(beta));
    Tensor scaled = z.div(Tensors.scalar(tau));
    Tensor logistic = PreferenceLoss.logistic(z).mul(torch.sigmoid(scaled.neg()));
    // m exp(-z) as one exponential: exp(-z) alone overflows where m is 0.
    return logistic.add(torch.exp(torch.log_sigmoid(scaled).sub(z)));
  }

  @Override
  public String name() {
    return "discopop";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of((1 + Math.log(2)) / 2);
  }

  @Override
  public boolean usesScores() {
    return true;
  }
}
