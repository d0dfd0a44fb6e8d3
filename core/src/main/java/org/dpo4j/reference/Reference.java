package org.dpo4j.reference;

import org.dpo4j.batch.PreferenceBatch;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.model.CausalLm;

/** What the policy is compared with. */
public sealed interface Reference extends AutoCloseable
    permits PrecomputedReference, MovingReference {

  /**
   * The log-probabilities of a batch, without gradients.
   *
   * @param policy of the same batch; lengths and type are taken from it
   */
  PairLogProbs of(PreferenceBatch batch, PairLogProbs policy);

  /**
   * Hears that an optimizer step has changed the policy.
   *
   * @param step 1-based number of that step
   */
  default void onStep(int step, CausalLm policy) {}

  /** Frees what the reference holds of its own. */
  @Override
  default void close() {}
}
