package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Shapes;
import org.dpo4j.torch.Tensors;

/**
 * The inputs of a loss for the labelled examples of one micro-batch. Every tensor has shape (batch)
 * and the same type.
 *
 * @param policy log pi(y given x)
 * @param reference log ref(y given x); no gradient flows into it
 * @param desirable 1 for a desirable completion, 0 for an undesirable one
 * @param kl estimate of the KL divergence of policy and reference, in nats, not negative; 0 for
 *     losses without it
 */
public record UnpairedInputs(Tensor policy, Tensor reference, Tensor desirable, double kl) {

  public UnpairedInputs {
    Shapes.require("policy", policy, -1);
    long batch = policy.size(0);
    Shapes.require("reference", reference, batch);
    Shapes.require("desirable", desirable, batch);
    Shapes.requireFloating("policy", policy);
    Shapes.requireSameType("reference", reference, policy);
    Shapes.requireSameType("desirable", desirable, policy);
    if (kl < 0) { // NaN reaches the loss, which is then refused
      throw new IllegalArgumentException("kl must not be negative but was " + kl);
    }
  }

  /** Delta = log pi(y given x) - log ref(y given x). */
  Tensor ratio() {
    return policy.sub(reference.detach());
  }

  /** 1 for a desirable completion, -1 for an undesirable one. */
  Tensor sign() {
    return desirable.mul(Tensors.scalar(2)).sub(Tensors.scalar(1));
  }

  /** One of two numbers for each example, by its label. */
  Tensor byLabel(double ofDesirable, double ofUndesirable) {
    return desirable
        .mul(Tensors.scalar(ofDesirable - ofUndesirable))
        .add(Tensors.scalar(ofUndesirable));
  }
}
