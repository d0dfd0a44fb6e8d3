package org.dpo4j.jinja;

/** A template that cannot be parsed, or that failed or went out of bounds while it rendered. */
public final class TemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean located;

  TemplateException(String message) {
    super(message);
    this.located = false;
  }

  private TemplateException(String origin, int line, TemplateException cause) {
    super("[" + origin + ":" + line + "] chat template: " + cause.getMessage(), cause);
    this.located = true;
  }

  /** The same fault with its place; the innermost place wins. */
  TemplateException at(String origin, int line) {
    return located ? this : new TemplateException(origin, line, this);
  }
}
