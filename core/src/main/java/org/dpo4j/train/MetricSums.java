package org.dpo4j.train;

import org.dpo4j.ExampleKind;
import org.dpo4j.TrainingMetrics;

/**
 * Sums over examples and tokens, from which means over any number of micro-batches are exact. Named
 * as the means in {@link TrainingMetrics}.
 *
 * @param examples number of examples
 * @param chosen how many of them have a chosen or desirable completion
 * @param rejected how many of them have a rejected or undesirable completion
 * @param largestReward largest |reward| of a completion, as a share of max(1, |log-probability|)
 * @param weight sum of the examples' weights
 * @param loss sum of weight times loss
 * @param rewardsChosen sum over the chosen completions
 * @param rewardsRejected sum over the rejected completions
 * @param correctPairs pairs with a reward margin above rounding
 * @param logpsChosen sum over the chosen completions
 * @param logpsRejected sum over the rejected completions
 * @param chosenTokens scored tokens of chosen completions
 * @param rejectedTokens scored tokens of rejected completions
 * @param logitsChosen sum over the scored tokens of chosen completions
 * @param logitsRejected sum over the scored tokens of rejected completions
 * @param entropy sum over the scored tokens of both completions
 * @param correctTokens scored tokens of chosen completions that the policy finds most likely
 * @param kl sum over examples of the KL estimate of their micro-batch
 */
public record MetricSums(
    int examples,
    int chosen,
    int rejected,
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
    double correctTokens,
    double kl) {

  /** Sums over nothing. */
  public static final MetricSums NONE =
      new MetricSums(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

  /** Length of {@link #toArray}. */
  static final int FIELDS = 18;

  /** The fields in order; counts are exact. */
  double[] toArray() {
    return new double[] {
      examples,
      chosen,
      rejected,
      largestReward,
      weight,
      loss,
      rewardsChosen,
      rewardsRejected,
      correctPairs,
      logpsChosen,
      logpsRejected,
      chosenTokens,
      rejectedTokens,
      logitsChosen,
      logitsRejected,
      entropy,
      correctTokens,
      kl
    };
  }

  /**
   * From an array that has the fields in a part of it.
   *
   * @param from place of the first field
   */
  static MetricSums of(double[] a, int from) {
    return new MetricSums(
        (int) a[from],
        (int) a[from + 1],
        (int) a[from + 2],
        a[from + 3],
        a[from + 4],
        a[from + 5],
        a[from + 6],
        a[from + 7],
        a[from + 8],
        a[from + 9],
        a[from + 10],
        (long) a[from + 11],
        (long) a[from + 12],
        a[from + 13],
        a[from + 14],
        a[from + 15],
        a[from + 16],
        a[from + 17]);
  }

  /** The sums over the examples of both. */
  MetricSums plus(MetricSums other) {
    return new MetricSums(
        examples + other.examples,
        chosen + other.chosen,
        rejected + other.rejected,
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
        correctTokens + other.correctTokens,
        kl + other.kl);
  }

  /** Sums over examples that have nothing to learn. */
  static MetricSums ofNothing(int examples) {
    return new MetricSums(examples, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  /** The same with a loss of the whole micro-batch in that of each example. */
  MetricSums withRouterLoss(double routerLoss) {
    return routerLoss == 0
        ? this
        : plus(
            new MetricSums(0, 0, 0, 0, 0, weight * routerLoss, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  }

  /** Whether losses, rewards and log-probabilities are finite. */
  boolean finite() {
    return Double.isFinite(loss)
        && Double.isFinite(rewardsChosen)
        && Double.isFinite(rewardsRejected)
        && Double.isFinite(logpsChosen)
        && Double.isFinite(logpsRejected);
  }

  /**
   * Adds one by one, in this order, so that the sum does not depend on how examples were grouped.
   */
  MetricSums plus(Iterable<MetricSums> others) {
    MetricSums sum = this;
    for (MetricSums other : others) {
      sum = sum.plus(other);
    }
    return sum;
  }

  /** The means; NaN where nothing was added. */
  TrainingMetrics means(ExampleKind kind) {
    boolean pairs = kind == ExampleKind.PAIRS;
    double meanChosen = rewardsChosen / chosen;
    double meanRejected = rewardsRejected / rejected;
    return new TrainingMetrics(
        kind,
        weight == 0 && examples > 0 ? 0 : loss / weight,
        meanChosen,
        meanRejected,
        pairs ? correctPairs / examples : Double.NaN,
        // One division rounds less than two.
        pairs ? (rewardsChosen - rewardsRejected) / examples : meanChosen - meanRejected,
        logpsChosen / chosen,
        logpsRejected / rejected,
        logitsChosen / chosenTokens,
        logitsRejected / rejectedTokens,
        entropy / (chosenTokens + rejectedTokens),
        correctTokens / chosenTokens,
        kind == ExampleKind.LABELED ? kl / examples : Double.NaN);
  }
}
