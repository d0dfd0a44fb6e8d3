package org.dpo4j.data;

/** The form in which a model sees rows, independent of their columns. */
public enum RowForm {
  /** Text, tokenized as it is. */
  TEXT("plain text, without a chat template"),
  /** Text in the form of a transcript between a human and an assistant. */
  TRANSCRIPTS("plain text (Human/Assistant transcripts), without a chat template"),
  /** Conversations, rendered by the chat template. */
  CONVERSATIONS("conversations, through the chat template"),
  /** Token ids, used as they are. */
  TOKEN_IDS("token ids from the data");

  private final String words;

  RowForm(String words) {
    this.words = words;
  }

  /** The form for messages, as in {@code conversations, through the chat template}. */
  @Override
  public String toString() {
    return words;
  }
}
