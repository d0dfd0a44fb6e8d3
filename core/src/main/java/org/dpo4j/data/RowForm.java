package org.dpo4j.data;

/** What rows are to a model, whatever their columns are called. */
public enum RowForm {
  /** Text that is tokenized as it stands. */
  TEXT("plain text, without a chat template"),
  /** Text that is written as a transcript of a human and an assistant. */
  TRANSCRIPTS("plain text (Human/Assistant transcripts), without a chat template"),
  /** Conversations that the chat template renders. */
  CONVERSATIONS("conversations, through the chat template"),
  /** Token ids that are used as they are. */
  TOKEN_IDS("token ids from the data");

  private final String words;

  RowForm(String words) {
    this.words = words;
  }

  /** The form for people, as in {@code conversations, through the chat template}. */
  @Override
  public String toString() {
    return words;
  }
}
