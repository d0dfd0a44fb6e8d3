package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/**
 * ORPO: -p_w - beta log sigmoid(log-odds of y_w less those of y_l), p = log pi(y) / |y|,
 * log-odds(y) = p - log(1 - e^p). Hong et al. 2024, arXiv 2403.07691, Eqs. 6 and 7; the first part
 * is the mean of -log p(token) over the completion, where TRL's experimental trainer includes the
 * prompt's tokens.
 *
 * @param beta the paper's lambda, weight of the odds ratio, positive
 */
public record OrpoLoss(double beta) implements PreferenceLoss {

  /** e^x still differs from 1 here, in fp32 too. */
  private static final double NEXT_TO_ZERO = -1e-30;

  public OrpoLoss {
    PreferenceLoss.requireBeta(beta);
  }

  /**
   * log(1 - e^x) for x <= 0, by the branch that loses no digits: log(-expm1(x)) above -ln 2,
   * log1p(-e^x) below. Arguments are clamped to the side of each branch; otherwise the gradient of
   * the unused branch would be NaN. x = 0, a certain completion, is replaced by a negative number
   * close to it.
   */
  private static Tensor log1mexp(Tensor x) {
    Tensor inside = torch.clamp_max(x, Tensors.scalar(NEXT_TO_ZERO));
    Scalar bound = Tensors.scalar(-Math.log(2));
    Tensor above = torch.log(torch.expm1(torch.clamp_min(inside, bound)).neg());
    Tensor below = torch.log1p(torch.exp(torch.clamp_max(inside, bound)).neg());
    return torch.where(inside.gt(bound), above, below);
  }

  @Override
  public Tensor of(LossInputs pairs) {
    Tensor chosen = pairs.chosenAverage();
    Tensor rejected = pairs.rejectedAverage();
    Tensor odds = chosen.sub(rejected).sub(log1mexp(chosen)).add(log1mexp(rejected));
    return PreferenceLoss.logistic(odds).mul(Tensors.scalar(beta)).sub(chosen);
  }

  @Override
  public String name() {
    return "orpo";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.empty();
  }

  @Override
  public ReferenceUse reference() {
    return ReferenceUse.NONE;
  }

  @Override
  public boolean averagesRewards() {
    return true;
  }
}
