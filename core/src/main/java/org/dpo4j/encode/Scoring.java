package org.dpo4j.encode;

/**
 * Which tokens of a demonstration are learned.
 *
 * @param prompt whether the prompt is learned too
 * @param assistantOnly whether only what the chat template marks as the assistant's is learned
 */
public record Scoring(boolean prompt, boolean assistantOnly) {

  /** The whole completion and nothing else. */
  public static final Scoring COMPLETION = new Scoring(false, false);
}
