package org.dpo4j.batch;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;

/**
 * Cuts a list of pairs into batches of neighbours by the number of tokens that are fed to the
 * model. Pairs keep their order: without padding, sorting them by length gains nothing.
 *
 * @param tokens largest size of a batch in tokens, at least 1; a longer pair is a batch of its own
 */
public record TokenBudget(int tokens) {

  /** Enough rows for the matrix products to be fast, and logits that fit into memory. */
  public static final TokenBudget DEFAULT = new TokenBudget(2048);

  /**
   * For training, where activations are saved for the backward pass: enough rows for matrix
   * products to run at full speed, and few enough to bound memory whatever the micro-batch size.
   */
  public static final TokenBudget TRAINING = new TokenBudget(560);

  public TokenBudget {
    if (tokens < 1) {
      throw new IllegalArgumentException("tokens must be at least 1 but was " + tokens);
    }
  }

  /**
   * End of the batch that begins with a pair.
   *
   * @param pairs the data set
   * @param from index of the batch's first pair, in [0, pairs.size())
   * @return index after its last pair, above {@code from}
   */
  public int end(List<EncodedExample> pairs, int from) {
    EncodedExample before = pairs.get(from);
    long fed = before.promptIds().length + completionTokens(before);
    int end = from + 1;
    for (; end < pairs.size(); end++) {
      EncodedExample pair = pairs.get(end);
      // ExampleBatch lays out neighbours with the same prompt behind one copy of it.
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
   * Cuts a micro-batch into as few pieces of similar size as the budget allows.
   *
   * @param pairs at least one
   * @param encoded the token ids of a pair
   * @return the same pairs in the same order, by piece
   */
  public <P> List<List<P>> pieces(List<P> pairs, Function<P, EncodedExample> encoded) {
    long[] fed = pairs.stream().mapToLong(pair -> fed(encoded.apply(pair))).toArray();
    long all = Arrays.stream(fed).sum();
    long size = all / ((all - 1) / tokens + 1);
    List<List<P>> pieces = new ArrayList<>();
    int from = 0;
    long sum = 0;
    for (int i = 0; i < fed.length; i++) {
      if (sum > 0 && sum + fed[i] / 2 > size) { // closer to the size without the pair
        pieces.add(pairs.subList(from, i));
        from = i;
        sum = 0;
      }
      sum += fed[i];
    }
    pieces.add(pairs.subList(from, fed.length));
    return pieces;
  }

  private static long fed(EncodedExample pair) {
    return pair.promptIds().length + completionTokens(pair);
  }

  private static long completionTokens(EncodedExample example) {
    long tokens = 0;
    for (EncodedCompletion completion : example.completions()) {
      tokens += completion.ids().length;
    }
    return tokens;
  }
}
