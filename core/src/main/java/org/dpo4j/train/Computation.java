package org.dpo4j.train;

import org.dpo4j.logprob.LogProbEngine;

/**
 * How steps are computed. The choices change numbers only by rounding.
 *
 * @param bf16 whether matrices are multiplied in bfloat16; weights, sums and everything between
 *     products stay in 32 bits
 * @param gradientCheckpointing whether the backward pass recomputes the activations of a block,
 *     which costs a third of the time and saves most of the memory of activations
 * @param engine computes log-probabilities and gradients
 */
public record Computation(boolean bf16, boolean gradientCheckpointing, LogProbEngine engine) {

  /** In 32 bits on the CPU, activations kept. */
  public static final Computation PLAIN = new Computation(false, false, LogProbEngine.cpu());

  LogProbEngine.Purpose purpose() {
    return gradientCheckpointing
        ? LogProbEngine.Purpose.CHECKPOINTED_TRAINING
        : LogProbEngine.Purpose.TRAINING;
  }

  /** The number type of products, as in {@code config.json}. */
  public String products() {
    return bf16 ? "bfloat16" : "float32";
  }
}
