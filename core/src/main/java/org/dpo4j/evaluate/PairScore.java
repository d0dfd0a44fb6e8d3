package org.dpo4j.evaluate;

import java.io.Serializable;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.logprob.PairLogProbs;

/**
 * Log-probabilities of a pair under a model and its reference.
 *
 * @param origin the row of the pair
 * @param promptTokens tokens of the prompt
 * @param chosenTokens tokens of the chosen completion
 * @param rejectedTokens tokens of the rejected completion
 * @param chosen log pi(y_w given x), in nats
 * @param rejected log pi(y_l given x), in nats
 * @param refChosen the same of y_w under the reference; NaN without one
 * @param refRejected the same of y_l under the reference; NaN without one
 */
public record PairScore(
    RowOrigin origin,
    int promptTokens,
    int chosenTokens,
    int rejectedTokens,
    double chosen,
    double rejected,
    double refChosen,
    double refRejected)
    implements Serializable {

  /** Whether there is a reference. */
  public boolean hasReference() {
    return !Double.isNaN(refChosen);
  }

  /** Whether all log-probabilities that there should be are finite. */
  public boolean finite() {
    return Double.isFinite(chosen)
        && Double.isFinite(rejected)
        && !Double.isInfinite(refChosen)
        && !Double.isInfinite(refRejected)
        && Double.isNaN(refChosen) == Double.isNaN(refRejected);
  }

  /** log pi(y_w given x) - log pi(y_l given x). */
  public double logpMargin() {
    return chosen - rejected;
  }

  /** The same under the reference. */
  public double refLogpMargin() {
    return refChosen - refRejected;
  }

  /** How much more than the reference the model prefers the chosen completion, in nats. */
  public double logRatioMargin() {
    return logpMargin() - refLogpMargin();
  }

  /** Whether the model prefers the chosen completion more than its reference does. */
  public boolean rewardCorrect() {
    double size =
        Math.max(
            Math.max(Math.abs(chosen), Math.abs(rejected)),
            Math.max(Math.abs(refChosen), Math.abs(refRejected)));
    return logRatioMargin() > PairLogProbs.ROUNDING * size;
  }

  /** Whether the chosen completion is the likelier one. */
  public boolean logpCorrect() {
    return logpMargin() > 0;
  }

  /** Whether the chosen completion is the likelier one under the reference. */
  public boolean refLogpCorrect() {
    return refLogpMargin() > 0;
  }

  /** Whether the model is right: by reward margin, or without a reference by log-probability. */
  public boolean correct() {
    return hasReference() ? rewardCorrect() : logpCorrect();
  }
}
