package org.dpo4j.evaluate;

import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import org.apache.commons.math3.stat.correlation.PearsonsCorrelation;

/**
 * Figures of a model on pairs.
 *
 * @param pairs how many there are, at least 1
 * @param byLogp the share of pairs whose chosen completion is the likelier one
 * @param byLogpControlled the same, without the help of length
 * @param perplexityChosen per token, over the chosen completions
 * @param perplexityRejected per token, over the rejected completions
 * @param chosenTokens mean length of the chosen completions
 * @param rejectedTokens mean length of the rejected completions
 * @param toReference compared with the reference, if there is one
 */
public record PairFigures(
    int pairs,
    Proportion byLogp,
    LengthControlled byLogpControlled,
    double perplexityChosen,
    double perplexityRejected,
    double chosenTokens,
    double rejectedTokens,
    Optional<ToReference> toReference) {

  /**
   * A model beside its reference.
   *
   * @param byReward the share of pairs whose reward margin is positive
   * @param byRewardControlled the same, without the help of length
   * @param byLogp the share of pairs whose chosen completion is the likelier one under the
   *     reference
   * @param chosenReward mean reward of the chosen completions
   * @param rejectedReward mean reward of the rejected completions
   * @param margin mean reward margin
   * @param chosenFell the share of pairs whose chosen completion is less likely than under the
   *     reference
   * @param perplexityChosen of the reference, per token, over the chosen completions
   * @param perplexityRejected of the reference, per token, over the rejected completions
   * @param lengthCorrelation Pearson's correlation of the reward margin with how much longer the
   *     chosen completion is, in tokens; NaN where one of them does not vary
   * @param calibration of the reward margins
   */
  public record ToReference(
      Proportion byReward,
      LengthControlled byRewardControlled,
      Proportion byLogp,
      double chosenReward,
      double rejectedReward,
      double margin,
      Proportion chosenFell,
      double perplexityChosen,
      double perplexityRejected,
      double lengthCorrelation,
      Calibration calibration) {}

  /**
   * The figures of some pairs.
   *
   * @param pairs at least one; all with a reference, or none
   * @param beta scale of the rewards, above 0
   */
  public static PairFigures of(List<PairScore> pairs, double beta) {
    if (pairs.isEmpty()) {
      throw new IllegalArgumentException("there must be at least one pair");
    }
    return new PairFigures(
        pairs.size(),
        Proportion.of(pairs, PairScore::logpCorrect),
        LengthControlled.of(pairs, PairScore::logpCorrect),
        perplexity(pairs, PairScore::chosen, PairScore::chosenTokens),
        perplexity(pairs, PairScore::rejected, PairScore::rejectedTokens),
        mean(pairs, PairScore::chosenTokens),
        mean(pairs, PairScore::rejectedTokens),
        pairs.get(0).hasReference() ? Optional.of(toReference(pairs, beta)) : Optional.empty());
  }

  private static ToReference toReference(List<PairScore> pairs, double beta) {
    Predicate<PairScore> correct = PairScore::rewardCorrect;
    return new ToReference(
        Proportion.of(pairs, correct),
        LengthControlled.of(pairs, correct),
        Proportion.of(pairs, PairScore::refLogpCorrect),
        beta * mean(pairs, pair -> pair.chosen() - pair.refChosen()),
        beta * mean(pairs, pair -> pair.rejected() - pair.refRejected()),
        beta * mean(pairs, PairScore::logRatioMargin),
        Proportion.of(pairs, pair -> pair.chosen() < pair.refChosen()),
        perplexity(pairs, PairScore::refChosen, PairScore::chosenTokens),
        perplexity(pairs, PairScore::refRejected, PairScore::rejectedTokens),
        lengthCorrelation(pairs),
        Calibration.of(pairs, beta));
  }

  /** The share that counts: by reward margin, or without a reference by log-probability. */
  public Proportion accuracy() {
    return toReference.map(ToReference::byReward).orElse(byLogp);
  }

  private static double lengthCorrelation(List<PairScore> pairs) {
    return pairs.size() < 3
        ? Double.NaN
        : new PearsonsCorrelation()
            .correlation(
                pairs.stream().mapToDouble(PairScore::logRatioMargin).toArray(),
                pairs.stream()
                    .mapToDouble(pair -> pair.chosenTokens() - pair.rejectedTokens())
                    .toArray());
  }

  private static double mean(List<PairScore> pairs, ToDoubleFunction<PairScore> value) {
    return pairs.stream().mapToDouble(value).average().orElse(Double.NaN);
  }

  private static double perplexity(
      List<PairScore> pairs,
      ToDoubleFunction<PairScore> logProb,
      ToDoubleFunction<PairScore> tokens) {
    return Math.exp(-mean(pairs, logProb) / mean(pairs, tokens));
  }
}
