package org.dpo4j.train;

import org.dpo4j.data.RowOrigin;

/**
 * What a pass has measured of one pair.
 *
 * @param origin the row of the pair
 * @param loss of the pair, without its weight
 * @param margin reward of the chosen minus that of the rejected completion
 * @param pull how strongly the loss pulls the pair apart: -dL/dlog pi(y_w) / beta, which is
 *     sigma(-margin) for the sigmoid loss; NaN in an evaluation
 * @param chosenTokens that are scored in the chosen completion
 * @param rejectedTokens that are scored in the rejected one
 */
public record ExampleNumbers(
    RowOrigin origin,
    double loss,
    double margin,
    double pull,
    int chosenTokens,
    int rejectedTokens) {

  /** From the sums over one pair. */
  static ExampleNumbers of(RowOrigin origin, MetricSums numbers, double pull) {
    return new ExampleNumbers(
        origin,
        numbers.loss() / numbers.weight(),
        numbers.rewardsChosen() - numbers.rewardsRejected(),
        pull,
        (int) numbers.chosenTokens(),
        (int) numbers.rejectedTokens());
  }
}
