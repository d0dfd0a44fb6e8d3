package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.dpo4j.ExampleKind;

/**
 * A loss on examples. The kind of examples decides the inputs of its formula; what a run asks of
 * every loss is here.
 */
public sealed interface TrainingLoss permits PreferenceLoss, UnpairedLoss, TokenLoss {

  /** The examples that it learns from. */
  ExampleKind examples();

  /** Strength of the tie to the reference; scales the implicit rewards. */
  double beta();

  /** The name in the option {@code loss_type}. */
  String name();

  /**
   * The loss where policy and reference agree; a run compares its first micro-batch with it. Empty
   * if it depends on the examples.
   */
  OptionalDouble valueAtZero();

  /** How the loss uses the reference. */
  default ReferenceUse reference() {
    return ReferenceUse.LOSS;
  }

  /** Whether the loss uses scores, so that an f-divergence changes it. */
  default boolean usesScores() {
    return false;
  }

  /** Whether the loss reads the margin of each pair, by which its chosen completion is better. */
  default boolean usesMargins() {
    return false;
  }

  /** Whether value i is the loss of example i; false for losses that sort the batch. */
  default boolean keepsExamples() {
    return true;
  }

  /**
   * Whether the loss of an example does not depend on the other examples of the micro-batch, which
   * may then be computed in pieces.
   */
  default boolean separable() {
    return keepsExamples();
  }
}
