package org.dpo4j.train;

/**
 * What one logged step or one evaluation measured, as exact means. Over pairs: loss (each pair with
 * its weight), rewards, log-probabilities, accuracy. Over completion tokens of the side named:
 * logits, entropy (both sides), mean token accuracy (chosen side). Names in files and on the
 * console are TRL's.
 *
 * @param loss weighted mean loss: sum of weight x loss over the sum of weights
 * @param rewardsChosen beta times the log-ratio of the chosen completion; without a reference beta
 *     times the log-probability that the loss uses
 * @param rewardsRejected the same for the rejected one
 * @param rewardsAccuracies share of pairs with a reward margin above rounding; ties are wrong
 * @param rewardsMargins chosen reward minus rejected reward
 * @param logpsChosen policy log-probability of the chosen completion (a sum over tokens, in nats;
 *     with LD-DPO's weights where they are asked for)
 * @param logpsRejected the same for the rejected one
 * @param logitsChosen mean logit over vocabulary and chosen completion tokens
 * @param logitsRejected the same for the rejected side
 * @param entropy of the next-token distribution, in nats
 * @param meanTokenAccuracy share of chosen tokens that are the policy's first guess
 */
public record PairMetrics(
    double loss,
    double rewardsChosen,
    double rewardsRejected,
    double rewardsAccuracies,
    double rewardsMargins,
    double logpsChosen,
    double logpsRejected,
    double logitsChosen,
    double logitsRejected,
    double entropy,
    double meanTokenAccuracy) {

  /**
   * A mean reward margin this small, as a share of the log-probabilities, is rounding: several
   * times what tells a single tie in {@link MetricSums}, for large values of beta.
   */
  private static final double ROUNDING = 0x1p-18;

  /**
   * Whether every pair is a tie, as before the first weight moves: no pair has a positive reward
   * margin and their mean is 0 up to rounding. An accuracy of 0 then means nothing.
   */
  public boolean tied() {
    double size = Math.max(1, Math.max(Math.abs(logpsChosen), Math.abs(logpsRejected)));
    return rewardsAccuracies == 0 && Math.abs(rewardsMargins) <= ROUNDING * size;
  }
}
