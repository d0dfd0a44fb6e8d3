package org.dpo4j.batch;

import java.util.Arrays;
import java.util.List;
import org.dpo4j.encode.EncodedPair;

/**
 * Cuts a data set into runs of neighbours that go through a model together, as many as a number of
 * fed tokens holds. Pairs keep their order: without padding, sorting them by length wins nothing.
 *
 * @param tokens that a batch should not exceed, at least 1; a longer pair is a batch of its own
 */
public record TokenBudget(int tokens) {

  /** Enough rows for the matrix products to be fast, and logits that fit into memory. */
  public static final TokenBudget DEFAULT = new TokenBudget(2048);

  public TokenBudget {
    if (tokens < 1) {
      throw new IllegalArgumentException("tokens must be at least 1 but was " + tokens);
    }
  }

  /**
   * Where the batch ends that begins with a pair.
   *
   * @param pairs the data set
   * @param from number of the first pair, which is there
   * @return number of the pair after the last, above {@code from}
   */
  public int end(List<EncodedPair> pairs, int from) {
    EncodedPair before = pairs.get(from);
    long fed = before.promptIds().length + completionTokens(before);
    int end = from + 1;
    for (; end < pairs.size(); end++) {
      EncodedPair pair = pairs.get(end);
      // Neighbours with one prompt are what PreferenceBatch lays out behind one prompt.
      boolean shared = Arrays.equals(pair.promptIds(), before.promptIds());
      fed += (shared ? 0 : pair.promptIds().length) + completionTokens(pair);
      if (fed > tokens) {
        break;
      }
      before = pair;
    }
    return end;
  }

  private static long completionTokens(EncodedPair pair) {
    return (long) pair.chosenIds().length + pair.rejectedIds().length;
  }
}
