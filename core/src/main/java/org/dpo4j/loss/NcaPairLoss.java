package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * NCA on pairs: -log sigmoid(r_w) - (log sigmoid(-r_w) + log sigmoid(-r_l)) / 2, r = beta Delta.
 * Chen et al. 2024, arXiv 2402.05369, with K = 2 and labels 1 and 0, as in TRL.
 *
 * @param beta strength of the tie to the reference, positive
 */
public record NcaPairLoss(double beta) implements PreferenceLoss {

  public NcaPairLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor chosen = pairs.chosenRatio().mul(Tensors.scalar(beta));
    Tensor rejected = pairs.rejectedRatio().mul(Tensors.scalar(beta));
    Tensor push =
        PreferenceLoss.logistic(chosen.neg()).add(PreferenceLoss.logistic(rejected.neg()));
    return PreferenceLoss.logistic(chosen).add(push.mul(Tensors.scalar(0.5)));
  }

  @Override
  public String name() {
    return "nca_pair";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of(2 * Math.log(2));
  }
}
