package org.dpo4j.run;

/** The names of {@code --loss_type}; one constant for each loss that can be asked for by name. */
public enum LossType {
  SIGMOID,
  HINGE,
  IPO,
  SIGMOID_NORM
}
