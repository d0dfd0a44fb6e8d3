package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.torch.Tensors;

/**
 * Length-normalized DPO: {@link SigmoidLoss} with z = beta (Delta_w / |y_w| - Delta_l / |y_l|), as
 * TRL's {@code sigmoid_norm}; Lambert et al. 2024 (Tulu 3), arXiv 2411.15124. Rewards are still
 * those of sums.
 *
 * @param beta strength of the tie to the reference, positive; wants larger values than with sums
 * @param labelSmoothing epsilon, share of pairs assumed to be labelled the wrong way, in [0, 0.5]
 */
public record SigmoidNormLoss(double beta, double labelSmoothing) implements PreferenceLoss {

  public SigmoidNormLoss {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requireSmoothing(labelSmoothing);
  }

  @Override
  public LossTerms of(PairLogProbs policy, PairLogProbs reference) {
    LogRatios ratios = LogRatios.of(policy, reference);
    Tensor z = ratios.averageMargin().mul(Tensors.scalar(beta));
    return ratios.terms(PreferenceLoss.smoothedLogistic(z, labelSmoothing), beta);
  }

  @Override
  public String name() {
    return "sigmoid_norm";
  }

  @Override
  public double valueAtZero() {
    return Math.log(2);
  }
}
