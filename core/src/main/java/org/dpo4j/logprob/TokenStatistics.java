package org.dpo4j.logprob;

/**
 * What the predictions of completion tokens looked like, as sums over the tokens of each sequence,
 * so that means over any set of tokens are exact.
 *
 * @param tokens scored tokens, shape (sequences)
 * @param entropy of the next-token distribution in nats, summed
 * @param logits mean logit over the vocabulary, summed
 * @param correct tokens that were the model's first guess
 */
@SuppressWarnings("ArrayRecordComponent") // read once, right after it is made
public record TokenStatistics(int[] tokens, double[] entropy, double[] logits, double[] correct) {}
