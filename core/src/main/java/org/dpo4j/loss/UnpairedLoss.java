package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.ExampleKind;
import org.dpo4j.torch.Tensors;

/** A loss on completions that are labelled as desirable or undesirable. */
public sealed interface UnpairedLoss extends TrainingLoss permits KtoLoss, ApoZeroUnpairedLoss {

  /** The loss of each example, shape (batch); no gradient flows into the reference. */
  Tensor of(UnpairedInputs examples);

  /** lambda of desirable completions, positive. */
  double desirableWeight();

  /** lambda of undesirable completions, positive. */
  double undesirableWeight();

  /** Whether the formula has the KL divergence, which is estimated from mismatched completions. */
  boolean usesKl();

  @Override
  default ExampleKind examples() {
    return ExampleKind.LABELED;
  }

  /** One half of lambda, if both labels have the same. */
  @Override
  default OptionalDouble valueAtZero() {
    return desirableWeight() == undesirableWeight()
        ? OptionalDouble.of(desirableWeight() / 2)
        : OptionalDouble.empty();
  }

  /**
   * lambda_y (1 - sigmoid(beta a)) for desirable completions, lambda_y (1 - sigmoid(-beta a)) for
   * undesirable ones.
   *
   * @param advantage a, shape (batch)
   */
  default Tensor weighted(Tensor advantage, UnpairedInputs examples) {
    // 1 - sigmoid(x) = sigmoid(-x)
    return torch
        .sigmoid(advantage.mul(examples.sign()).mul(Tensors.scalar(-beta())))
        .mul(examples.byLabel(desirableWeight(), undesirableWeight()));
  }

  /** Checks the settings of a loss. */
  static void requireSettings(double beta, double desirableWeight, double undesirableWeight) {
    PreferenceLoss.requireBeta(beta);
    PreferenceLoss.requirePositive("desirable_weight", desirableWeight);
    PreferenceLoss.requirePositive("undesirable_weight", undesirableWeight);
  }
}
