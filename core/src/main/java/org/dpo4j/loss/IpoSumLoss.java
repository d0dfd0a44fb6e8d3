package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.torch.Tensors;

/**
 * IPO on summed log-ratios, as printed: (h - 1/(2 beta))^2. Azar et al. 2023, arXiv 2310.12036, Eq.
 * 17.
 *
 * @param beta the paper's tau, positive
 */
public record IpoSumLoss(double beta) implements PreferenceLoss {

  public IpoSumLoss {
    PreferenceLoss.requireBeta(beta);
  }

  @Override
  public LossTerms of(PairLogProbs policy, PairLogProbs reference) {
    LogRatios ratios = LogRatios.of(policy, reference);
    Tensor gap = ratios.margin().sub(Tensors.scalar(1 / (2 * beta)));
    return ratios.terms(gap.square(), beta);
  }

  @Override
  public String name() {
    return "ipo_sum";
  }

  @Override
  public double valueAtZero() {
    return 1 / (4 * beta * beta);
  }
}
