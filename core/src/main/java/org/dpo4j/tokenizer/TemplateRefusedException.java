package org.dpo4j.tokenizer;

import org.dpo4j.DpoException;

/** A chat template that called {@code raise_exception} because it cannot show a conversation. */
final class TemplateRefusedException extends DpoException {
  private static final long serialVersionUID = 1L;

  private final String reason;

  TemplateRefusedException(String origin, String reason) {
    super("[" + origin + "] the chat template refuses this conversation: " + reason);
    this.reason = reason;
  }

  /** The template's own message. */
  public String reason() {
    return reason;
  }
}
