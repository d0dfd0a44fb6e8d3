package org.dpo4j.loss;

/** What a loss does with the reference. */
public enum ReferenceUse {
  /** It compares the policy with it. */
  LOSS,
  /** The loss has no use for one; the logged rewards are measured against it where there is one. */
  REWARDS,
  /** None is looked at; the logged rewards are beta times log-probabilities of the policy. */
  NONE
}
