package org.dpo4j.plan;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.batch.PreferenceBatch;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.model.ModelShape;

/**
 * The amount of work that some pairs require of a model. A prompt is fed once for both completions,
 * and the last token of a completion is not fed, as in {@link FlatSequences}.
 *
 * @param pairs how many there are
 * @param tokens that are fed
 * @param predictions completion tokens that are scored
 * @param predicting fed tokens that predict one of them or more
 * @param keysSeen number of keys that attention reads, over all fed tokens, by attention window
 * @param keysSeenPredicting as {@code keysSeen}, over predicting tokens alone
 */
public record TokenLoad(
    long pairs,
    long tokens,
    long predictions,
    long predicting,
    Map<Integer, Long> keysSeen,
    Map<Integer, Long> keysSeenPredicting) {

  public TokenLoad {
    keysSeen = Map.copyOf(keysSeen);
    keysSeenPredicting = Map.copyOf(keysSeenPredicting);
  }

  /** The load of pairs on a model; loads of micro-batches add up. */
  public static TokenLoad of(List<EncodedPair> pairs, ModelShape shape) {
    return of(PreferenceBatch.of(pairs).sequences(), shape);
  }

  private static TokenLoad of(FlatSequences sequences, ModelShape shape) {
    int[] positions = sequences.positions();
    int[] predicting = sequences.predicting();
    return new TokenLoad(
        sequences.sequences() / 2,
        sequences.tokens(),
        sequences.predictors().length,
        predicting.length,
        keysSeen(shape, positions),
        keysSeen(shape, Arrays.stream(predicting).map(token -> positions[token]).toArray()));
  }

  private static Map<Integer, Long> keysSeen(ModelShape shape, int[] positions) {
    Map<Integer, Long> keysSeen = new TreeMap<>();
    for (int window : new TreeSet<>(shape.windows())) {
      // The position of a token is the number of tokens before it in its own sequence.
      keysSeen.put(window, Arrays.stream(positions).mapToLong(p -> Math.min(p + 1L, window)).sum());
    }
    return keysSeen;
  }

  /**
   * Keys that queries read, summed over all layers; in the last layer only queries of predicting
   * tokens count.
   */
  public long keysSeen(ModelShape shape) {
    int last = shape.layers() - 1;
    long before =
        shape.windows().stream()
            .limit(last)
            .mapToLong(window -> keysSeen.getOrDefault(window, 0L))
            .sum();
    return before + keysSeenPredicting.getOrDefault(shape.windows().get(last), 0L);
  }
}
