package org.dpo4j;

/**
 * A prompt that the model cannot read: it is empty or fills the context, or the chat template
 * refuses its messages. No token was generated. Another prompt may succeed, the same one never
 * does.
 */
public class PromptException extends DpoException {
  private static final long serialVersionUID = 1L;

  /**
   * A failure with the message of its cause.
   *
   * @param cause says what is wrong with the prompt and what to do
   */
  public PromptException(DpoException cause) {
    super(cause.text(), cause);
  }
}
