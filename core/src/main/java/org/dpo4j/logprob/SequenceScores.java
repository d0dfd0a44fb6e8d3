package org.dpo4j.logprob;

import org.bytedeco.pytorch.Tensor;

/**
 * Log-probabilities of the completions of a batch.
 *
 * @param logProbs sums over completion tokens, in nats, shape (sequences)
 * @param weighted the same sums with each token's {@link TailWeight}; the very same tensor where
 *     that is none
 * @param statistics of the same tokens; carries no gradient
 */
public record SequenceScores(Tensor logProbs, Tensor weighted, TokenStatistics statistics) {}
