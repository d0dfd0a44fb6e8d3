package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.UsageException;
import org.dpo4j.torch.Tensors;

/**
 * f-DPO's regularizer: a log-ratio Delta = log t becomes the score f'(t), up to a constant that
 * makes it 0 where policy and reference agree. Wang et al. 2023, arXiv 2309.16240; signs and
 * constants as in TRL.
 *
 * @param type the divergence
 * @param alpha of {@link Type#ALPHA_DIVERGENCE}; not used by the others
 */
public record FDivergence(Type type, double alpha) {

  /** The values of the option {@code f_divergence_type}. */
  public enum Type {
    /** Delta: plain DPO. */
    REVERSE_KL,
    /** 1 - exp(-Delta). */
    FORWARD_KL,
    /** ln 2 + log sigmoid(Delta). */
    JS_DIVERGENCE,
    /** (exp((alpha - 1) Delta) - 1) / (alpha - 1); the exponent is at most 80. */
    ALPHA_DIVERGENCE
  }

  /** Plain DPO: scores are log-ratios. */
  public static final FDivergence NONE = new FDivergence(Type.REVERSE_KL, 0.5);

  /** TRL's bound, which keeps exp in the range of fp32. */
  private static final double LARGEST_EXPONENT = 80;

  /** If alpha is this close to 1, the limit is used: the reverse KL. */
  private static final double LIMIT = 1e-6;

  public FDivergence {
    if (!Double.isFinite(alpha)) {
      throw new UsageException(
          "f_alpha_divergence_coef", "must be a finite number", "was " + alpha, "");
    }
  }

  /**
   * The score of each completion.
   *
   * @param logRatio Delta, shape (batch)
   */
  Tensor score(Tensor logRatio) {
    return switch (type) {
      case REVERSE_KL -> logRatio;
      case FORWARD_KL -> torch.exp(logRatio.neg()).neg().add(Tensors.scalar(1));
      case JS_DIVERGENCE -> torch.log_sigmoid(logRatio).add(Tensors.scalar(Math.log(2)));
      case ALPHA_DIVERGENCE -> alphaScore(logRatio);
    };
  }

  private Tensor alphaScore(Tensor logRatio) {
    double slope = alpha - 1;
    if (Math.abs(slope) < LIMIT) {
      return logRatio;
    }
    Tensor exponent =
        torch.clamp_max(logRatio.mul(Tensors.scalar(slope)), Tensors.scalar(LARGEST_EXPONENT));
    return torch.exp(exponent).sub(Tensors.scalar(1)).mul(Tensors.scalar(1 / slope));
  }
}
