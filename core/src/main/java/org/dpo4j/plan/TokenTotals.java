package org.dpo4j.plan;

import java.util.Collection;
import org.dpo4j.encode.EncodedPair;

/**
 * How much text there is.
 *
 * @param pairs how many there are
 * @param tokens ids of prompts, chosen and rejected completions, each prompt once
 */
public record TokenTotals(long pairs, long tokens) {

  public static TokenTotals of(Collection<EncodedPair> pairs) {
    return new TokenTotals(
        pairs.size(),
        pairs.stream()
            .mapToLong(p -> p.promptIds().length + p.chosenIds().length + p.rejectedIds().length)
            .sum());
  }

  /** Those of two data sets. */
  public TokenTotals plus(TokenTotals other) {
    return new TokenTotals(pairs + other.pairs, tokens + other.tokens);
  }
}
