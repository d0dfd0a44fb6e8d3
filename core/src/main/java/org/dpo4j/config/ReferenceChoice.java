package org.dpo4j.config;

/** The names of {@code --reference}: what the policy is compared with. */
public enum ReferenceChoice {
  /** A frozen copy of what training starts from, adapter included. */
  START,
  /** The base model, with the adapter off. */
  BASE,
  /** Nothing, for losses that need no reference. */
  NONE
}
