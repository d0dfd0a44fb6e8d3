package org.dpo4j.api;

/**
 * The implicit rewards of a preference pair: beta times the log-ratio of policy and reference.
 * Rafailov et al. 2023, arXiv 2305.18290, section 5.
 *
 * @param policy scores under the model that is judged
 * @param reference scores under the model that it is compared with
 * @param beta strength of the tie to the reference, as in training; positive
 */
public record PairRewards(PairScore policy, PairScore reference, double beta) {

  /**
   * Reward of the chosen completion.
   *
   * @return in nats times beta
   */
  public double chosen() {
    return beta * (policy.chosenLogProb() - reference.chosenLogProb());
  }

  /**
   * Reward of the rejected completion.
   *
   * @return in nats times beta
   */
  public double rejected() {
    return beta * (policy.rejectedLogProb() - reference.rejectedLogProb());
  }

  /**
   * Reward of the chosen minus that of the rejected completion; above 0 the pair is learned.
   *
   * @return in nats times beta
   */
  public double margin() {
    return chosen() - rejected();
  }
}
