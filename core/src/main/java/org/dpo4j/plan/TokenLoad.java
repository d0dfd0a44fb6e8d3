package org.dpo4j.plan;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.model.ModelShape;

/**
 * The amount of work that some examples require of a model. A prompt is fed once for all
 * completions, and the last token of a completion is not fed, as in {@link FlatSequences}.
 *
 * @param examples how many there are
 * @param tokens that are fed
 * @param predictions completion tokens that are scored
 * @param predicting fed tokens that predict one of them or more
 * @param keysSeen number of keys that attention reads, over all fed tokens, by attention window
 * @param keysSeenPredicting as {@code keysSeen}, over predicting tokens alone
 */
public record TokenLoad(
    long examples,
    long tokens,
    long predictions,
    long predicting,
    Map<Integer, Long> keysSeen,
    Map<Integer, Long> keysSeenPredicting) {

  public TokenLoad {
    keysSeen = Map.copyOf(keysSeen);
    keysSeenPredicting = Map.copyOf(keysSeenPredicting);
  }

  /** The load of the trained completions of examples on a model; loads of micro-batches add up. */
  public static TokenLoad of(List<EncodedExample> examples, ModelShape shape) {
    return of(examples, role -> role != CompletionRole.MISMATCHED, shape);
  }

  /** The load of the mismatched completions of examples, which a KL estimate scores. */
  public static TokenLoad ofMismatched(List<EncodedExample> examples, ModelShape shape) {
    return of(examples, CompletionRole.MISMATCHED::equals, shape);
  }

  private static TokenLoad of(
      List<EncodedExample> examples, Predicate<CompletionRole> role, ModelShape shape) {
    List<EncodedExample> some = examples.stream().map(example -> example.only(role)).toList();
    return of(examples.size(), ExampleBatch.of(some).sequences(), shape);
  }

  private static TokenLoad of(int examples, FlatSequences sequences, ModelShape shape) {
    int[] positions = sequences.positions();
    int[] predicting = sequences.predicting();
    return new TokenLoad(
        examples,
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
