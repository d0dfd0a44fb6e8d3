package org.dpo4j.logprob;

/**
 * What the predictions of completion tokens looked like, as sums over the tokens of each sequence,
 * so that means over any set of tokens are exact.
 *
 * @param tokens scored tokens, shape (sequences)
 * @param entropy of the next-token distribution in nats, summed
 * @param logits mean logit over the vocabulary, summed
 * @param correct tokens that were the model's first guess
 * @param alignment log p(token) - log sum_v p(v)^2, summed: how likely the tokens are against those
 *     that the model would draw itself; Zhou et al. 2024 (WPO), arXiv 2406.11827, Eq. 2
 */
@SuppressWarnings("ArrayRecordComponent") // read once, right after it is made
public record TokenStatistics(
    int[] tokens, double[] entropy, double[] logits, double[] correct, double[] alignment) {

  /** All zero, to be added to. */
  static TokenStatistics zeros(int sequences) {
    return new TokenStatistics(
        new int[sequences],
        new double[sequences],
        new double[sequences],
        new double[sequences],
        new double[sequences]);
  }
}
