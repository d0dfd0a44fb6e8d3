package org.dpo4j.train;

import org.dpo4j.PairMetrics;

/**
 * Sums over pairs and tokens, from which means over any number of micro-batches are exact. Named as
 * the means in {@link PairMetrics}.
 *
 * @param pairs number of pairs
 * @param largestReward largest |reward| of a completion, as a share of max(1, |log-probability|)
 * @param weight sum of the pairs' weights
 * @param loss sum of weight times loss
 * @param rewardsChosen sum over pairs
 * @param rewardsRejected sum over pairs
 * @param correctPairs pairs with a reward margin above rounding
 * @param logpsChosen sum over pairs
 * @param logpsRejected sum over pairs
 * @param chosenTokens scored tokens of chosen completions
 * @param rejectedTokens scored tokens of rejected completions
 * @param logitsChosen sum over the scored tokens of chosen completions
 * @param logitsRejected sum over the scored tokens of rejected completions
 * @param entropy sum over the scored tokens of both completions
 * @param correctTokens scored tokens of chosen completions that the policy finds most likely
 */
public record MetricSums(
    int pairs,
    double largestReward,
    double weight,
    double loss,
    double rewardsChosen,
    double rewardsRejected,
    double correctPairs,
    double logpsChosen,
    double logpsRejected,
    long chosenTokens,
    long rejectedTokens,
    double logitsChosen,
    double logitsRejected,
    double entropy,
    double correctTokens) {

  /** Sums over nothing. */
  public static final MetricSums NONE = new MetricSums(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

  /** The sums over the pairs of both. */
  MetricSums plus(MetricSums other) {
    return new MetricSums(
        pairs + other.pairs,
        Math.max(largestReward, other.largestReward),
        weight + other.weight,
        loss + other.loss,
        rewardsChosen + other.rewardsChosen,
        rewardsRejected + other.rewardsRejected,
        correctPairs + other.correctPairs,
        logpsChosen + other.logpsChosen,
        logpsRejected + other.logpsRejected,
        chosenTokens + other.chosenTokens,
        rejectedTokens + other.rejectedTokens,
        logitsChosen + other.logitsChosen,
        logitsRejected + other.logitsRejected,
        entropy + other.entropy,
        correctTokens + other.correctTokens);
  }

  /** Whether losses, rewards and log-probabilities are finite. */
  boolean finite() {
    return Double.isFinite(loss)
        && Double.isFinite(rewardsChosen)
        && Double.isFinite(rewardsRejected)
        && Double.isFinite(logpsChosen)
        && Double.isFinite(logpsRejected);
  }

  /** Adds one by one, in this order, so that the sum does not depend on how pairs were grouped. */
  MetricSums plus(Iterable<MetricSums> others) {
    MetricSums sum = this;
    for (MetricSums other : others) {
      sum = sum.plus(other);
    }
    return sum;
  }

  /** The means; NaN where nothing was added. */
  PairMetrics means() {
    return new PairMetrics(
        loss / weight,
        rewardsChosen / pairs,
        rewardsRejected / pairs,
        correctPairs / pairs,
        (rewardsChosen - rewardsRejected) / pairs,
        logpsChosen / pairs,
        logpsRejected / pairs,
        logitsChosen / chosenTokens,
        logitsRejected / rejectedTokens,
        entropy / (chosenTokens + rejectedTokens),
        correctTokens / chosenTokens);
  }
}
