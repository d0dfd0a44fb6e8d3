package org.dpo4j.reference;

import java.util.List;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Parameters;
import org.jspecify.annotations.Nullable;

/** The model that the policy is compared with. */
public sealed interface Reference extends AutoCloseable
    permits PrecomputedReference, MovingReference {

  /**
   * A pair with its log-probabilities, where they are known before training.
   *
   * @param index of the pair in the data set
   */
  ScoredPair scored(int index, EncodedPair pair);

  /**
   * Log-probabilities of both completions of each pair, in nats.
   *
   * @param pairs from {@link #scored}
   * @param sequences the layout of these pairs
   * @return (2 x pairs): sequence 2i is the chosen completion of pair i, 2i + 1 its rejected one
   */
  double[] logProbs(List<ScoredPair> pairs, FlatSequences sequences);

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

  /** Frees the reference's own memory. */
  @Override
  default void close() {}
}
