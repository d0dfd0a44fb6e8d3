package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.torch.Tensors;

/**
 * SLiC: max(0, 1 - z), z = beta h. Zhao et al. 2023, arXiv 2305.10425, as normalized in Liu et al.
 * 2023 (RSO), arXiv 2309.06657; 1/beta is the margin in log-ratios.
 *
 * @param beta strength of the tie to the reference, positive
 */
public record HingeLoss(double beta) implements PreferenceLoss {

  public HingeLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public LossTerms of(PairLogProbs policy, PairLogProbs reference) {
    LogRatios ratios = LogRatios.of(policy, reference);
    Tensor slack = ratios.margin().mul(Tensors.scalar(-beta)).add(Tensors.scalar(1));
    return ratios.terms(torch.relu(slack), beta);
  }

  @Override
  public String name() {
    return "hinge";
  }

  @Override
  public double valueAtZero() {
    return 1;
  }
}
