package org.dpo4j.config;

/** The values of the option {@code reference}: the model that the policy is compared with. */
public enum ReferenceChoice {
  /** A frozen copy of the model that training starts from, including its adapter. */
  START,
  /** The base model, with the adapter off. */
  BASE,
  /** No reference, for losses that need none. */
  NONE
}
