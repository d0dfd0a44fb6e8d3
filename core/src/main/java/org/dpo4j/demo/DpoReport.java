package org.dpo4j.demo;

import java.util.List;

/**
 * What a run of {@link Dpo#trainDpo} did.
 *
 * @param steps one entry per pass over the triples, in order
 * @param initial the policy before the first update
 * @param trained the policy after the last update
 */
public record DpoReport(List<Step> steps, MarginTable initial, MarginTable trained) {

  /**
   * The means over one pass, each batch measured before its update.
   *
   * @param number from 1
   * @param loss in nats
   * @param chosenLogProb mean log pi(y_w given x), in nats
   * @param rejectedLogProb mean log pi(y_l given x), in nats
   * @param rewardMargin mean implicit reward difference, beta times the log-ratio margin
   */
  public record Step(
      int number, double loss, double chosenLogProb, double rejectedLogProb, double rewardMargin) {

    /** The margin of the policy alone, in nats: chosenLogProb - rejectedLogProb. */
    public double margin() {
      return chosenLogProb - rejectedLogProb;
    }
  }

  public DpoReport {
    steps = List.copyOf(steps);
  }

  /** The loss of each pass. */
  public List<Double> losses() {
    return steps.stream().map(Step::loss).toList();
  }

  /** The margin of each pass, see {@link Step#margin}. */
  public List<Double> margins() {
    return steps.stream().map(Step::margin).toList();
  }

  /** The implicit reward difference of each pass. */
  public List<Double> rewardMargins() {
    return steps.stream().map(Step::rewardMargin).toList();
  }
}
