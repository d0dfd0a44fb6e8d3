package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * BCO on pairs: -log sigmoid(r_w) - log sigmoid(-r_l), r = beta Delta. Jung et al. 2024, arXiv
 * 2404.04656, without its running mean of rewards, as in TRL.
 *
 * @param beta strength of the tie to the reference, positive
 */
public record BcoPairLoss(double beta) implements PreferenceLoss {

  public BcoPairLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor chosen = pairs.chosenRatio().mul(Tensors.scalar(beta));
    Tensor rejected = pairs.rejectedRatio().mul(Tensors.scalar(beta));
    return PreferenceLoss.logistic(chosen).add(PreferenceLoss.logistic(rejected.neg()));
  }

  @Override
  public String name() {
    return "bco_pair";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of(2 * Math.log(2));
  }
}
