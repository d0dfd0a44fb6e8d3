package org.dpo4j.loss;

/** How a loss uses the reference. */
public enum ReferenceUse {
  /** The loss compares the policy with it. */
  LOSS,
  /** The loss does not use it; the logged rewards do, if there is a reference. */
  REWARDS,
  /** Neither uses it; the logged rewards are beta times log-probabilities of the policy. */
  NONE
}
