package org.dpo4j.tokenizer.jinja;

import org.dpo4j.DpoException;

/** A template that cannot be parsed, or that failed or went out of bounds while it rendered. */
final class TemplateFault extends DpoException {
  private static final long serialVersionUID = 1L;

  private final boolean located;

  TemplateFault(String message) {
    super(message);
    this.located = false;
  }

  private TemplateFault(String origin, int line, TemplateFault cause) {
    super("[" + origin + ":" + line + "] chat template: " + cause.getMessage(), cause);
    this.located = true;
  }

  /** The same fault with its place; the innermost place wins. */
  TemplateFault at(String origin, int line) {
    return located ? this : new TemplateFault(origin, line, this);
  }
}
