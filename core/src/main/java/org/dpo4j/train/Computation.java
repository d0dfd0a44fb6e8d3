package org.dpo4j.train;

import org.dpo4j.logprob.CompletionPass;

/**
 * How steps are computed; the numbers are the same but for rounding.
 *
 * @param bf16 whether matrices are multiplied in bfloat16; weights, sums and everything between
 *     products stay in 32 bits
 * @param gradientCheckpointing whether blocks are computed once more on the way back, which costs a
 *     third of the time and saves most of the activations
 */
public record Computation(boolean bf16, boolean gradientCheckpointing) {

  /** In 32 bits, activations kept. */
  public static final Computation PLAIN = new Computation(false, false);

  CompletionPass.Purpose purpose() {
    return gradientCheckpointing
        ? CompletionPass.Purpose.CHECKPOINTED_TRAINING
        : CompletionPass.Purpose.TRAINING;
  }

  /** The number type of products, as in {@code config.json}. */
  public String products() {
    return bf16 ? "bfloat16" : "float32";
  }
}
