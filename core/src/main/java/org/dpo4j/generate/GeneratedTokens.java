package org.dpo4j.generate;

/**
 * A completion as token ids.
 *
 * @param ids without the end token
 * @param logProb sum over the tokens, the end token among them, of their log-probabilities under
 *     the model at temperature 1, in nats
 * @param ended whether the model generated an end token; else a limit ended the completion
 */
@SuppressWarnings("ArrayRecordComponent") // ids are passed on, never compared
public record GeneratedTokens(int[] ids, double logProb, boolean ended) {

  /** Number of tokens that {@link #logProb} sums. */
  public int count() {
    return ids.length + (ended ? 1 : 0);
  }
}
