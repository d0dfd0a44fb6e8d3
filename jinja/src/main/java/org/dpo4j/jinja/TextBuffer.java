package org.dpo4j.jinja;

/** A text under construction that refuses to grow beyond {@link Limits#TEXT}. */
final class TextBuffer {
  private final StringBuilder text = new StringBuilder();

  TextBuffer append(String part) {
    Limits.text((long) text.length() + part.length());
    text.append(part);
    return this;
  }

  TextBuffer append(int codePoint) {
    Limits.text(text.length() + 2L);
    text.appendCodePoint(codePoint);
    return this;
  }

  TextBuffer repeat(String part, long times) {
    Limits.text(text.length() + part.length() * Math.max(0, Math.min(times, Limits.TEXT + 1L)));
    for (long i = 0; i < times && !part.isEmpty(); i++) {
      text.append(part);
    }
    return this;
  }

  int length() {
    return text.length();
  }

  @Override
  public String toString() {
    return text.toString();
  }
}
