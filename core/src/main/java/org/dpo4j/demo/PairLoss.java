package org.dpo4j.demo;

/**
 * The DPO loss of one pair and the figures behind it.
 *
 * @param loss -log sigmoid(rewardMargin), in nats; ln 2 where policy and reference agree
 * @param chosenReward beta (log pi(y_w) - log ref(y_w)), the implicit reward of the chosen
 *     completion
 * @param rejectedReward beta (log pi(y_l) - log ref(y_l))
 * @param logRatioMargin the unscaled margin: the difference of the two log-ratios, in nats
 * @param rewardMargin the scaled margin z: beta times logRatioMargin, the implicit reward
 *     difference
 * @param chosenGradient the derivative of the loss by log pi(y_w), -beta (1 - sigmoid(z)); by log
 *     pi(y_l) it is the same with the other sign
 */
public record PairLoss(
    double loss,
    double chosenReward,
    double rejectedReward,
    double logRatioMargin,
    double rewardMargin,
    double chosenGradient) {}
