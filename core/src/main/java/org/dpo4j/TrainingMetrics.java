package org.dpo4j;

/**
 * Means over the examples of one step, of several steps or of an evaluation. The means are exact:
 * they do not depend on how the examples were cut into micro-batches. NaN where nothing was
 * measured, as for a loss that has no such number. Names in files and on the console are TRL's.
 *
 * <p>Of labelled examples, a desirable completion is called chosen, an undesirable one rejected,
 * and their means are over the examples of that label.
 *
 * @param kind what the loss learns from
 * @param loss weighted mean over examples: sum of weight times loss over the sum of weights; for
 *     demonstrations over tokens
 * @param rewardsChosen mean over pairs of beta times the log-ratio of the chosen completion, in
 *     nats times beta; without a reference, beta times the log-probability that the loss uses
 * @param rewardsRejected mean over pairs of the reward of the rejected completion
 * @param rewardsAccuracies share of pairs, in [0, 1], whose reward margin is above rounding; a tie
 *     is counted as wrong
 * @param rewardsMargins mean over pairs of the chosen reward minus the rejected reward
 * @param logpsChosen mean over pairs of the policy's log-probability of the chosen completion: a
 *     sum over tokens, in nats, at most 0; with LD-DPO's weights where they are configured
 * @param logpsRejected mean over pairs of the policy's log-probability of the rejected completion
 * @param logitsChosen mean logit over the vocabulary and the tokens of chosen completions
 * @param logitsRejected mean logit over the vocabulary and the tokens of rejected completions
 * @param entropy mean entropy of the next-token distribution over the tokens of both completions,
 *     in nats, not negative
 * @param meanTokenAccuracy share of the tokens of chosen completions, in [0, 1], to which the
 *     policy gives the highest probability
 * @param kl KTO's estimate of the KL divergence of policy and reference, in nats, not negative; the
 *     mean over examples of that of their micro-batch
 */
public record TrainingMetrics(
    ExampleKind kind,
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
    double meanTokenAccuracy,
    double kl) {

  /**
   * A mean reward margin this small, as a share of the log-probabilities, is rounding: several
   * times the share below which a single pair is a tie, since a large beta multiplies it.
   */
  private static final double ROUNDING = 0x1p-18;

  /**
   * Whether every pair is a tie, as before the first update: no pair has a positive reward margin
   * and the mean margin is 0 up to rounding. An accuracy of 0 then has no meaning.
   *
   * @return whether every pair is a tie
   */
  public boolean tied() {
    double size = Math.max(1, Math.max(Math.abs(logpsChosen), Math.abs(logpsRejected)));
    return rewardsAccuracies == 0 && Math.abs(rewardsMargins) <= ROUNDING * size;
  }
}
