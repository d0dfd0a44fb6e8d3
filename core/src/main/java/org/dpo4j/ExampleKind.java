package org.dpo4j;

/** What a loss learns from: the completions that an example has beside its prompt. */
public enum ExampleKind {
  /** A chosen and a rejected completion. */
  PAIRS("pair"),
  /** One completion that is labelled as desirable or undesirable. */
  LABELED("example"),
  /** One completion to imitate. */
  DEMONSTRATIONS("example");

  private final String noun;

  ExampleKind(String noun) {
    this.noun = noun;
  }

  /**
   * One example of this kind in a message.
   *
   * @return a noun in the singular
   */
  public String noun() {
    return noun;
  }
}
