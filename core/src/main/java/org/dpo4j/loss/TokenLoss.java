package org.dpo4j.loss;

import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.ExampleKind;

/**
 * Supervised fine-tuning: the mean of -log p(token) over the scored tokens of a step, whatever the
 * examples and micro-batches in which they are; TRL's {@code SFTTrainer} with loss type {@code
 * nll}.
 */
public record TokenLoss() implements TrainingLoss {

  /**
   * The mean over the tokens of each example, shape (batch). A step weighs an example by its number
   * of scored tokens.
   *
   * @param sums log pi(y given x) over the scored tokens, shape (batch)
   * @param scored number of scored tokens, shape (batch), same type; at least 1 each
   */
  public Tensor of(Tensor sums, Tensor scored) {
    return sums.neg().div(scored);
  }

  @Override
  public ExampleKind examples() {
    return ExampleKind.DEMONSTRATIONS;
  }

  /** Rewards are not defined. */
  @Override
  public double beta() {
    return 1;
  }

  @Override
  public String name() {
    return "nll";
  }

  @Override
  public OptionalDouble valueAtZero() {
    return OptionalDouble.empty();
  }

  @Override
  public ReferenceUse reference() {
    return ReferenceUse.NONE;
  }
}
