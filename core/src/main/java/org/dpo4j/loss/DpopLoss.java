package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/**
 * DPO-Positive: -log sigmoid(beta (h - lambda max(0, -Delta_w))): penalizes a chosen completion
 * that is less likely than under the reference, by more than rounding. Pal et al. 2024 (Smaug),
 * arXiv 2402.13228.
 *
 * @param beta strength of the tie to the reference, positive
 * @param lambda weight of the penalty, not negative; the paper uses 50
 */
public record DpopLoss(double beta, double lambda) implements PreferenceLoss {

  public DpopLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requireNotNegative("dpop_lambda", lambda);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor ratio = pairs.chosenRatio();
    // At the start of a run a ratio is 0 up to rounding, which must not cause a penalty.
    Tensor falls = ratio.detach().lt(pairs.chosenRounding().neg());
    Tensor fall = torch.relu(ratio.neg()).mul(falls).mul(Tensors.scalar(lambda));
    Tensor h = pairs.chosenRatio().sub(pairs.rejectedRatio());
    return PreferenceLoss.logistic(h.sub(fall).mul(Tensors.scalar(beta)));
  }

  @Override
  public String name() {
    return "dpop";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.of(Math.log(2));
  }
}
