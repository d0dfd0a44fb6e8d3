package org.dpo4j.reference;

import java.util.List;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Parameters;
import org.jspecify.annotations.Nullable;

/** The model that the policy is compared with. */
public sealed interface Reference extends AutoCloseable
    permits PrecomputedReference, MovingReference {

  /**
   * An example with its log-probabilities, where they are known before training.
   *
   * @param index of the example in the data set
   */
  ScoredExample scored(int index, EncodedExample example);

  /**
   * Log-probabilities of all completions of some examples, in nats.
   *
   * @param examples from {@link #scored}
   * @param sequences the layout of these examples
   * @return shape (sequences), in the order of {@link org.dpo4j.batch.ExampleBatch}
   */
  double[] logProbs(List<ScoredExample> examples, FlatSequences sequences);

  /**
   * Updates the reference after an optimizer step.
   *
   * @param step number of the step, from 1
   * @param policy with the weights after the step
   */
  default void afterStep(int step, CausalLm policy) {}

  /** The weights that {@link #afterStep} changes; null if the reference is frozen. */
  default @Nullable Parameters movingWeights() {
    return null;
  }

  /** To be called whenever another than {@link #afterStep} has changed {@link #movingWeights}. */
  default void weightsChanged() {}

  /** Frees the reference's own memory. */
  @Override
  default void close() {}
}
