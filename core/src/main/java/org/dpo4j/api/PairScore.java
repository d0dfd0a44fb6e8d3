package org.dpo4j.api;

/**
 * The log-probabilities of a preference pair under one model.
 *
 * @param chosenLogProb log p(chosen given prompt), summed over its tokens, in nats, at most 0
 * @param rejectedLogProb log p(rejected given prompt), summed over its tokens, in nats, at most 0
 * @param chosenTokens tokens of the chosen completion, the end token included
 * @param rejectedTokens tokens of the rejected completion, the end token included
 */
public record PairScore(
    double chosenLogProb, double rejectedLogProb, int chosenTokens, int rejectedTokens) {

  /**
   * The chosen minus the rejected log-probability; positive if the model prefers the chosen
   * completion.
   *
   * @return in nats
   */
  public double margin() {
    return chosenLogProb - rejectedLogProb;
  }
}
