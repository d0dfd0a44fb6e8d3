package org.dpo4j.reference;

import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;
import org.jspecify.annotations.Nullable;

/**
 * An example with the log-probabilities that a frozen reference gives its completions.
 *
 * @param example token ids and weight
 * @param reference log ref(y given x) of each completion, in nats; null without a reference, or
 *     with one that moves
 */
@SuppressWarnings("ArrayRecordComponent") // read once, never compared
public record ScoredExample(EncodedExample example, double @Nullable [] reference) {

  /** The example with the completions that are trained on. */
  public ScoredExample trained() {
    return only(role -> role != CompletionRole.MISMATCHED);
  }

  /** The example with those of its completions that have a role. */
  public ScoredExample only(Predicate<CompletionRole> wanted) {
    EncodedExample some = example.only(wanted);
    if (some.completions().size() == example.completions().size() || reference == null) {
      return new ScoredExample(some, reference);
    }
    List<EncodedCompletion> all = example.completions();
    return new ScoredExample(
        some,
        IntStream.range(0, all.size())
            .filter(i -> wanted.test(all.get(i).role()))
            .mapToDouble(i -> reference[i])
            .toArray());
  }
}
