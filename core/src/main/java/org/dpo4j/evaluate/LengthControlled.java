package org.dpo4j.evaluate;

import java.util.List;
import java.util.function.Predicate;

/**
 * Accuracy that length does not help: the mean of the accuracies on the pairs whose chosen
 * completion is the longer one and on those whose chosen completion is the shorter one, in tokens.
 * A model that only follows length has 0.5. Pairs of equal lengths are left out. The interval is
 * that of a mean of two proportions (Zou and Donner 2008, "Construction of confidence limits about
 * effect measures", MOVER).
 *
 * @param longer the pairs whose chosen completion is longer
 * @param shorter the pairs whose chosen completion is shorter
 */
public record LengthControlled(Proportion longer, Proportion shorter) implements Share {

  /** By a property of pairs that stands for a right answer. */
  static LengthControlled of(List<PairScore> pairs, Predicate<PairScore> correct) {
    return new LengthControlled(
        Proportion.of(
            pairs.stream().filter(pair -> pair.chosenTokens() > pair.rejectedTokens()).toList(),
            correct),
        Proportion.of(
            pairs.stream().filter(pair -> pair.chosenTokens() < pair.rejectedTokens()).toList(),
            correct));
  }

  @Override
  public double share() {
    return (longer.share() + shorter.share()) / 2;
  }

  @Override
  public double low() {
    return share() - Math.hypot(longer.share() - longer.low(), shorter.share() - shorter.low()) / 2;
  }

  @Override
  public double high() {
    return share()
        + Math.hypot(longer.high() - longer.share(), shorter.high() - shorter.share()) / 2;
  }

  @Override
  public int of() {
    return longer.of() + shorter.of();
  }
}
