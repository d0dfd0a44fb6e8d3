package org.dpo4j.logprob;

/**
 * Statistics of the model's predictions at completion tokens, as sums over the tokens of each
 * sequence, so that a mean over any set of sequences is exact. All arrays have shape (sequences).
 *
 * @param tokens number of scored tokens
 * @param entropy sum of the entropies of the next-token distributions, in nats
 * @param logits sum of the mean logits over the vocabulary
 * @param correct number of tokens that had the largest logit
 * @param alignment sum of log p(token) - log sum_v p(v)^2: the likelihood of the tokens relative to
 *     that of tokens drawn from the model; Zhou et al. 2024 (WPO), arXiv 2406.11827, Eq. 2
 */
@SuppressWarnings("ArrayRecordComponent") // read once, right after it is made
public record TokenStatistics(
    int[] tokens, double[] entropy, double[] logits, double[] correct, double[] alignment) {

  /** All zeros, to accumulate into. */
  static TokenStatistics zeros(int sequences) {
    return new TokenStatistics(
        new int[sequences],
        new double[sequences],
        new double[sequences],
        new double[sequences],
        new double[sequences]);
  }
}
