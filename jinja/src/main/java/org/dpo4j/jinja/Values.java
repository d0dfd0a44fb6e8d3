package org.dpo4j.jinja;

/** The values that there is one of. */
final class Values {
  static final Value NONE = new Value.NoneValue();
  static final Value TRUE = new Value.Bool(true);
  static final Value FALSE = new Value.Bool(false);
  static final Value.Str EMPTY = new Value.Str("", false);

  private Values() {}
}
