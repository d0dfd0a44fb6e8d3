package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * KTO: lambda_y (1 - sigmoid(beta (Delta - KL))) for a desirable completion, lambda_y (1 -
 * sigmoid(beta (KL - Delta))) for an undesirable one. No gradient flows through KL. Ethayarajh et
 * al. 2024, arXiv 2402.01306, Eq. 7.
 *
 * @param beta strength of the tie to the reference, positive
 * @param desirableWeight lambda of desirable completions, positive
 * @param undesirableWeight lambda of undesirable completions, positive
 */
public record KtoLoss(double beta, double desirableWeight, double undesirableWeight)
    implements UnpairedLoss {

  public KtoLoss {
    UnpairedLoss.requireSettings(beta, desirableWeight, undesirableWeight);
  }

  @Override
  public Tensor of(UnpairedInputs examples) {
    return weighted(examples.ratio().sub(Tensors.scalar(examples.kl())), examples);
  }

  @Override
  public boolean usesKl() {
    return true;
  }

  @Override
  public String name() {
    return "kto";
  }
}
