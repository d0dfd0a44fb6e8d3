package org.dpo4j.logprob;

import org.bytedeco.pytorch.Tensor;

/**
 * Log-probabilities of the completions of a batch.
 *
 * @param logProbs sums over completion tokens, in nats, shape (sequences)
 * @param statistics of the same tokens; carries no gradient
 */
public record SequenceScores(Tensor logProbs, TokenStatistics statistics) {}
