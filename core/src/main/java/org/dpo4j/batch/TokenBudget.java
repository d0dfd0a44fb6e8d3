package org.dpo4j.batch;

import java.util.ArrayList;
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

  /**
   * With a way back, whose activations are kept: still enough rows for matrix products to run at
   * their best, and few enough that memory stays small whatever the size of a micro-batch.
   */
  public static final TokenBudget TRAINING = new TokenBudget(560);

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

  /**
   * Cuts a micro-batch into as few pieces as the budget allows, of about one size.
   *
   * @param indices the numbers of its pairs, at least one
   * @return the same numbers in the same order, by piece
   */
  public List<int[]> pieces(List<EncodedPair> pairs, int[] indices) {
    long[] fed = Arrays.stream(indices).mapToLong(index -> fed(pairs.get(index))).toArray();
    long all = Arrays.stream(fed).sum();
    long size = all / ((all - 1) / tokens + 1);
    List<int[]> pieces = new ArrayList<>();
    int from = 0;
    long sum = 0;
    for (int i = 0; i < indices.length; i++) {
      if (sum > 0 && sum + fed[i] / 2 > size) { // a pair goes where more of it fits
        pieces.add(Arrays.copyOfRange(indices, from, i));
        from = i;
        sum = 0;
      }
      sum += fed[i];
    }
    pieces.add(Arrays.copyOfRange(indices, from, indices.length));
    return pieces;
  }

  private static long fed(EncodedPair pair) {
    return pair.promptIds().length + completionTokens(pair);
  }

  private static long completionTokens(EncodedPair pair) {
    return (long) pair.chosenIds().length + pair.rejectedIds().length;
  }
}
