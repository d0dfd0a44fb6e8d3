package org.dpo4j.run;

import org.dpo4j.loss.HingeLoss;
import org.dpo4j.loss.IpoLoss;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.loss.SigmoidNormLoss;

/** The names of {@code --loss_type}; one constant for each loss that can be asked for by name. */
public enum LossType {
  SIGMOID,
  HINGE,
  IPO,
  SIGMOID_NORM;

  /** Whether the loss takes a label smoothing. */
  boolean smooths() {
    return this == SIGMOID || this == SIGMOID_NORM;
  }

  /**
   * The loss of this name.
   *
   * @param beta strength of the tie to the reference
   * @param labelSmoothing for the losses that have one; options that ask another for it are refused
   *     before
   */
  public PreferenceLoss create(double beta, double labelSmoothing) {
    return switch (this) {
      case SIGMOID -> new SigmoidLoss(beta, labelSmoothing);
      case HINGE -> new HingeLoss(beta);
      case IPO -> new IpoLoss(beta);
      case SIGMOID_NORM -> new SigmoidNormLoss(beta, labelSmoothing);
    };
  }
}
