package org.dpo4j.data;

/**
 * How the rows of a file are read: the option {@code data_format}. {@link #AUTO} suffices unless
 * the columns of a file fit more than one format.
 */
public enum RowFormat {
  /** Decided by the columns of the first row; a Human/Assistant transcript stays text. */
  AUTO,
  /** Strings {@code chosen} and {@code rejected}, and {@code prompt} unless both begin with it. */
  TEXT,
  /** Lists of messages, or strings that are user and assistant turns. */
  MESSAGES,
  /** {@code prompt_ids}, {@code chosen_ids}, {@code rejected_ids}. */
  TOKEN_IDS,
  /** Transcripts in the form of Anthropic's hh-rlhf, as conversations. */
  HH,
  /** {@code instruction}, {@code input}, {@code history}, {@code system}, as a conversation. */
  ALPACA,
  /** {@code conversations} that one message, chosen or rejected, continues. */
  SHAREGPT,
  /** {@code system} and {@code question}, as a conversation. */
  ORCA
}
