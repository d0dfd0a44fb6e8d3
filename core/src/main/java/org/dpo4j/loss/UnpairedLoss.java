package org.dpo4j.loss;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.ExampleKind;

/** A loss on completions that are labelled as desirable or undesirable. */
public sealed interface UnpairedLoss extends TrainingLoss permits KtoLoss, ApoZeroUnpairedLoss {

  /** The loss of each example, shape (batch); no gradient flows into the reference. */
  Tensor of(UnpairedInputs examples);

  /** Whether the formula has the KL divergence, which is estimated from mismatched completions. */
  boolean usesKl();

  @Override
  default ExampleKind examples() {
    return ExampleKind.LABELED;
  }
}
