package org.dpo4j.evaluate;

/** A share in [0, 1] with its 95 % interval; all NaN where there is nothing to count. */
public sealed interface Share permits Proportion, LengthControlled {

  /** The best estimate. */
  double share();

  /** The lower end of the interval. */
  double low();

  /** The upper end of the interval. */
  double high();

  /** The pairs that it rests on. */
  int of();
}
